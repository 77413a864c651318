"""A linear head on the embeddings of a frozen backbone: multinomial logistic regression.

Fitted by scikit-learn in seconds; the standardisation of the embeddings is folded into the weights.
TensorFlow is imported only to save the model with its backbone.
"""

import io
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from podium import backbones
from podium.models.writing import for_any_size
from podium.networks.data import Dataset
from podium.predictions.scores import charged
from podium.step import BadInput, log

if TYPE_CHECKING:
    import keras

LAYER = "head"
INNER_SHARE = 4  # one photo in four chooses the penalty
TOLERANCE, ITERATIONS = 1e-3, 300
ABSENT = 10.0  # how far below the others the logit of a class without training photos stays

Floats = NDArray[np.float32]
Ints = NDArray[np.int64]


def fit(
    data: Dataset,
    *,
    seed: int,
    resume: Path,  # noqa: ARG001 (it takes seconds)
    backbone: str,
    weights: str,
    size: int,
    fit: str,
    precision: str,
    views: list[str],
    penalties: list[float],
) -> tuple["keras.Model", pd.DataFrame]:
    """Fit on embeddings.

    `penalties` are strengths of the L2 penalty on standardised features; the one with the least log loss
    on an inner quarter of the photos is used. `precision` is that of the embeddings, so that the model agrees
    with them. Returns the model and a row for each penalty tried.
    """
    truth, count, groups = data.truth[: data.count], data.outputs, data.groups
    features = load(data.files, views, data.rows[: data.count])
    mean, deviation = features.mean((0, 1)), features.std((0, 1)) + np.float32(1e-3)
    features = (features - mean) / deviation
    history = _try_penalties(features, truth, groups, penalties, seed)
    best = float(history.penalty[history.inner_log_loss.fillna(np.inf).to_numpy().argmin()])
    log.info("penalty %g of %s", best, penalties)
    classes, kernel, bias = _logistic(features, truth, best)
    full_kernel = np.zeros((features.shape[-1], count), np.float32)
    full_bias = np.full(count, bias.min() - ABSENT, np.float32)
    full_kernel[:, classes] = kernel / deviation[:, None]
    full_bias[classes] = bias - (mean / deviation) @ kernel
    return for_any_size(_model(backbone, weights, precision, size, full_kernel, full_bias), size, fit), history


def predict(
    model: Path,
    parts: list[Path],
    rows: Ints,
    views: list[str],
    saved_model: str | None = None,  # noqa: ARG001 (only the head is read)
) -> Iterator[Floats]:
    """Probabilities float32 [n, classes] of these rows of the embeddings, averaged over the views."""
    kernel, bias = _weights(model)
    yield np.mean([_softmax(view @ kernel + bias) for view in load(parts, views, rows)], axis=0)


def load(parts: list[Path], views: list[str], rows: Ints) -> Floats:
    """Embeddings float32 [views, n, features] of these rows of all the parts; a part's views may stand in two files."""
    return np.stack([np.concatenate([*_each(parts, view)])[rows] for view in views])


def _each(parts: list[Path], view: str) -> Iterator[Floats]:
    for part in parts:
        with np.load(part) as file:
            if view in file:
                yield file[view]


def _try_penalties(features: Floats, truth: Ints, groups: Ints, penalties: list[float], seed: int) -> pd.DataFrame:
    """The log loss of each penalty on photos that it was not fitted on, the strongest first."""
    shuffled = np.random.default_rng(seed).permutation(np.unique(groups))
    inner = np.isin(groups, shuffled[: len(shuffled) // INNER_SHARE])
    inner &= np.isin(truth, truth[~inner])  # a class that is only in the quarter says nothing of the penalty
    tried = []
    for penalty in sorted(penalties, reverse=True):
        loss = np.nan
        if inner.any():
            classes, kernel, bias = _logistic(features[:, ~inner], truth[~inner], penalty)
            probabilities = np.mean([_softmax(view @ kernel + bias) for view in features[:, inner]], axis=0)
            given = probabilities[np.arange(inner.sum()), np.searchsorted(classes, truth[inner])]
            loss = float(charged(given).mean())
        tried.append({"penalty": penalty, "inner_log_loss": loss})
    return pd.DataFrame(tried)


def _logistic(features: Floats, truth: Ints, penalty: float) -> tuple[Ints, Floats, Floats]:
    """Classes that occur, and kernel [features, classes] and bias of a softmax over them."""
    from sklearn.linear_model import LogisticRegression

    if len(only := np.unique(truth)) == 1:  # a class of one photo, in whose fold the other is alone
        return only, np.zeros((features.shape[-1], 1), np.float32), np.zeros(1, np.float32)
    fitted = LogisticRegression(C=1 / penalty, tol=TOLERANCE, max_iter=ITERATIONS).fit(
        features.reshape(-1, features.shape[-1]), np.tile(truth, len(features))
    )
    kernel, bias = fitted.coef_.T, fitted.intercept_
    if len(fitted.classes_) == 2:  # scikit-learn gives the one logit of the second class
        kernel, bias = np.hstack([np.zeros_like(kernel), kernel]), np.append(0, bias)
    return fitted.classes_, kernel.astype(np.float32), bias.astype(np.float32)


def _model(backbone: str, weights: str, precision: str, size: int, kernel: Floats, bias: Floats) -> "keras.Model":
    import keras

    from podium import device

    frozen = backbones.build(backbone, weights, policy=device.policy(precision), sides=[size])
    head = keras.layers.Dense(len(bias), activation="softmax", name=LAYER)
    model = keras.Model(frozen.input, head(frozen.output))
    head.set_weights([kernel, bias])
    return model


def _weights(model: Path) -> tuple[Floats, Floats]:
    """The head's kernel and bias in a saved model, read without TensorFlow."""
    import h5py

    found: list[Floats] = []

    def look(_: str, node: Any) -> None:
        if node.attrs.get("name") == LAYER:
            if node["0"].nbytes + node["1"].nbytes > model.stat().st_size:
                raise BadInput(f"{model}: its head is said to be larger than the file")
            found.extend([node["0"][()], node["1"][()]])

    with zipfile.ZipFile(model) as archive, h5py.File(io.BytesIO(archive.read("model.weights.h5"))) as file:
        file.visititems(look)
    kernel, bias = found
    return kernel, bias


def _softmax(logits: Floats) -> Floats:
    powers = np.exp(logits - logits.max(1, keepdims=True))
    return powers / powers.sum(1, keepdims=True)
