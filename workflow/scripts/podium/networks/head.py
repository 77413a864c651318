"""A linear head on the embeddings of a frozen backbone: logistic regression.

Embeddings are read in blocks of rows, so that memory does not grow with the photos; their standardisation is folded
into the weights. TensorFlow is imported only to save the model with its backbone.
"""

import io
import math
import zipfile
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from podium import backbones, tasks
from podium.arrays import Rows
from podium.models.reading import saved_metadata
from podium.models.writing import for_any_size
from podium.networks import logistic
from podium.networks.data import Dataset
from podium.step import BadInput, log
from podium.tasks.measures import charged

if TYPE_CHECKING:
    import keras

LAYER = "head"
INNER_SHARE = 4  # one photo in four chooses the penalty
ABSENT = 10.0  # how far below the others the logit of a class without training photos stays
KEPT = 2**28  # bytes of embeddings: so many stay in memory, more are read again in each pass
BLOCK, LEAST = 2**22, 512  # numbers in a block, and rows in it, since products with fewer are slow

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
    outputs, kernel, bias, history = _chosen(data, Embeddings(data.files, views), penalties, seed)
    full_kernel = np.zeros((len(kernel), data.outputs), np.float32)
    full_bias = np.full(data.outputs, (bias.min() if len(bias) else 0) - ABSENT, np.float32)
    full_kernel[:, outputs], full_bias[outputs] = kernel, bias
    model = _model(backbone, weights, precision, size, data.task.activation, full_kernel, full_bias)
    return for_any_size(model, size, fit), history


def predict(
    model: Path,
    parts: list[Path],
    rows: Ints,
    views: list[str],
    saved_model: str | None = None,  # noqa: ARG001 (only the head is read)
) -> Iterator[Floats]:
    """Probabilities float32 [n, outputs] of these rows of the embeddings, averaged over the views, in blocks."""
    task = tasks.task(saved_metadata(model)["task"])
    embeddings, (kernel, bias) = Embeddings(parts, views), _weights(model)
    for some in _blocks(0, len(rows), embeddings.shape, len(bias)):
        yield _averaged(task, embeddings[rows[some]], kernel, bias)


class Embeddings:
    """The embeddings of several files as if they were one array [photos, *shape], where `shape` is views, features.

    A file has a field for each of its views; a photo's views may stand in two files. Raises ValueError unless all views
    are there for all photos.
    """

    def __init__(self, parts: list[Path], views: list[str]) -> None:
        self._views, ends = views, dict.fromkeys(views, 0)
        self._stored = list[tuple[int, Rows]]()  # each behind the number of its first photo
        for _, alike in groupby(parts, lambda part: Rows([part]).dtype):
            stored = Rows([*alike])
            if own := [view for view in ends if view in (stored.dtype.names or ())]:
                self._stored.append((ends[own[0]], stored))
                ends |= {view: ends[view] + len(stored) for view in own}
                self.shape = (len(views), *stored.dtype[own[0]].shape)
        if not self._stored or len({*ends.values()}) > 1:
            raise ValueError(f"embeddings of other photos for each view: {ends}")

    def __getitem__(self, rows: Ints) -> Floats:
        """Those of these photos: float32 [n, *shape]."""
        found = np.empty((len(rows), *self.shape), np.float32)
        for start, stored in self._stored:
            here = np.flatnonzero((rows >= start) & (rows < start + len(stored)))
            records = stored[rows[here] - start]
            for place, view in enumerate(self._views):
                if view in (records.dtype.names or ()):
                    found[here, place] = records[view]
        return found


class Standardised:
    """The embeddings of these photos with mean 0 and deviation 1, read as they are sliced: float32 [n, *shape]."""

    def __init__(self, embeddings: Embeddings, rows: Ints) -> None:
        from sklearn.preprocessing import StandardScaler

        self._embeddings, self._rows, self.shape = embeddings, rows, embeddings.shape
        scaler = StandardScaler()  # which sums in float64
        for some in _blocks(0, len(rows), self.shape):
            scaler.partial_fit(embeddings[rows[some]].reshape(-1, self.shape[-1]))
        self.mean = scaler.mean_.astype(np.float32)
        self.deviation = np.sqrt(scaler.var_).astype(np.float32) + np.float32(1e-3)

    def __getitem__(self, photos: slice) -> Floats:
        found = self._embeddings[self._rows[photos]]
        found -= self.mean
        found /= self.deviation
        return found

    def kept(self) -> "Standardised | Floats":
        """The same in memory, where it takes little of it."""
        if 4 * len(self._rows) * math.prod(self.shape) > KEPT:
            return self
        found = np.empty((len(self._rows), *self.shape), np.float32)
        for some in _blocks(0, len(found), self.shape):
            found[some] = self[some]
        return found


def _chosen(
    data: Dataset, embeddings: Embeddings, penalties: list[float], seed: int
) -> tuple[Ints, Floats, Floats, pd.DataFrame]:
    """With the best penalty: outputs that occur, kernel [features, outputs] and bias; and a row for each penalty."""
    inner = _inner(data.strata(), data.groups, seed)
    order = np.argsort(inner, kind="stable")  # the inner quarter last, so that it and the others are slices
    standardised = Standardised(embeddings, data.rows[order])
    features = standardised.kept()
    history = _try_penalties(data, order, features, int(inner.sum()), penalties)
    best = float(history.penalty[history.inner_log_loss.fillna(np.inf).to_numpy().argmin()])
    log.info("penalty %g of %s", best, penalties)
    outputs, kernel, bias = _logistic(data, order, features, best)
    kernel /= standardised.deviation[:, None]
    return outputs, kernel, bias - standardised.mean @ kernel, history


def _inner(strata: Ints, groups: Ints, seed: int) -> NDArray[np.bool_]:
    """The photos that choose the penalty: a quarter of the groups, less classes that only they have."""
    shuffled = np.random.default_rng(seed).permutation(np.unique(groups))
    inner = np.isin(groups, shuffled[: len(shuffled) // INNER_SHARE])
    return inner & np.isin(strata, strata[~inner])  # such a class says nothing of the penalty


def _try_penalties(
    data: Dataset, photos: Ints, features: Standardised | Floats, inner: int, penalties: list[float]
) -> pd.DataFrame:
    """The log loss of each penalty on the last `inner` of these photos, fitted on the others, the strongest first."""
    tried, outer = [], len(photos) - inner
    for penalty in sorted(penalties, reverse=True):
        loss = np.nan
        if inner:
            outputs, kernel, bias = _logistic(data, photos[:outer], features, penalty)
            losses = []
            for some in _blocks(outer, len(photos), features.shape[-2:], data.outputs):
                probabilities = np.zeros((some.stop - some.start, data.outputs), np.float32)
                probabilities[:, outputs] = _averaged(data.task, features[some], kernel, bias)
                losses.append(charged(data.task.given(data.truth[photos[some]], probabilities)))
            loss = float(np.concatenate(losses).mean())
        tried.append({"penalty": penalty, "inner_log_loss": loss})
    return pd.DataFrame(tried)


def _logistic(
    data: Dataset, photos: Ints, features: Standardised | Floats, penalty: float
) -> tuple[Ints, Floats, Floats]:
    """Outputs that occur among these photos, whose features come first, and kernel [features, outputs] and bias."""
    (views, width), task = features.shape[-2:], data.task
    outputs = _occurring(data, photos)
    if not len(outputs):  # none of these photos has a label
        return outputs, np.zeros((width, 0), np.float32), np.zeros(0, np.float32)
    if task.exclusive and len(outputs) == 1:  # a class of one photo, in whose fold the other is alone
        return outputs, np.zeros((width, 1), np.float32), np.zeros(1, np.float32)

    def blocks() -> Iterator[tuple[Floats, Floats]]:
        for some in _blocks(0, len(photos), (views, width), data.outputs):
            targets = data.targets(photos[some])[:, outputs]
            yield features[some].reshape(-1, width), np.repeat(targets, views, axis=0)

    # Two classes have opposite kernels, of which scikit-learn penalises the difference: that is twice as much.
    strength = 2 * penalty if task.exclusive and len(outputs) == 2 else penalty
    shape = width, len(outputs)
    kernel, bias, passes = logistic.solve(blocks, shape, strength, task.probabilities, task.cross_entropy)
    log.debug("penalty %g: the embeddings were read %d times", penalty, passes)
    return outputs, kernel, bias


def _occurring(data: Dataset, photos: Ints) -> Ints:
    """The outputs that are true of any of these photos, in their order."""
    found = np.zeros(data.outputs, bool)
    for some in _blocks(0, len(photos), (1, 0), data.outputs):
        found |= data.targets(photos[some]).any(0)
    return np.flatnonzero(found)


def _averaged(task: tasks.Task, embeddings: Floats, kernel: Floats, bias: Floats) -> Floats:
    """Probabilities [n, outputs] of embeddings [n, views, features], averaged over the views."""
    photos, views, features = embeddings.shape
    probabilities = task.probabilities(embeddings.reshape(-1, features) @ kernel + bias)
    return probabilities.reshape(photos, views, len(bias)).mean(1)


def _blocks(start: int, stop: int, shape: tuple[int, ...], outputs: int = 0) -> Iterator[slice]:
    """The photos from `start` to `stop` in blocks, at least one; a photo has `shape`, views and features."""
    views, features = shape
    # Beside the logits there are three arrays of the same size.
    size = max(1, max(LEAST, BLOCK // (features + 4 * outputs)) // views)
    for first in range(start, max(stop, start + 1), size):
        yield slice(first, min(first + size, stop))


def _model(
    backbone: str, weights: str, precision: str, size: int, activation: str, kernel: Floats, bias: Floats
) -> "keras.Model":
    import keras

    from podium import device

    frozen = backbones.build(backbone, weights, policy=device.policy(precision), sides=[size])
    head = keras.layers.Dense(len(bias), activation=activation, name=LAYER)
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
