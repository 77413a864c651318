"""A linear head on the embeddings of a frozen backbone: multinomial logistic regression.

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

from podium import backbones
from podium.arrays import Rows
from podium.models.writing import for_any_size
from podium.networks import logistic
from podium.step import BadInput, log

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
    parts: list[Path],
    rows: Ints,
    targets: Floats,
    groups: Ints,
    *,
    seed: int,
    resume: Path,  # noqa: ARG001 (it takes seconds)
    left_out: tuple[Ints, Floats] | None = None,  # noqa: ARG001 (the penalties show what overfits)
    backbone: str,
    weights: str,
    size: int,
    fit: str,
    precision: str,
    views: list[str],
    penalties: list[float],
) -> tuple["keras.Model", pd.DataFrame]:
    """Fit on these rows of the embeddings; `targets` float32 [n, classes] are their labels, one-hot,
    `groups` int [n] their groups.

    `penalties` are strengths of the L2 penalty on standardised features; the one with the least log loss
    on an inner quarter of the photos is used. `precision` is that of the embeddings, so that the model agrees
    with them. Returns the model and a row for each penalty tried.
    """
    truth, count = targets.argmax(1), targets.shape[1]
    classes, kernel, bias, history = _chosen(Embeddings(parts, views), rows, truth, groups, penalties, seed)
    full_kernel = np.zeros((len(kernel), count), np.float32)
    full_bias = np.full(count, bias.min() - ABSENT, np.float32)
    full_kernel[:, classes], full_bias[classes] = kernel, bias
    return for_any_size(_model(backbone, weights, precision, size, full_kernel, full_bias), size, fit), history


def predict(model: Path, parts: list[Path], rows: Ints, views: list[str], saved_model: str | None = None) -> Floats:
    """Probabilities float32 [n, classes] of these rows of the embeddings, averaged over the views."""
    return np.concatenate([*predicted(model, parts, rows, views, saved_model)])


def predicted(
    model: Path,
    parts: list[Path],
    rows: Ints,
    views: list[str],
    saved_model: str | None = None,  # noqa: ARG001 (only the head is read)
) -> Iterator[Floats]:
    """What `predict` gives, in blocks of photos that fit in memory; of no photos one empty block."""
    embeddings, (kernel, bias) = Embeddings(parts, views), _weights(model)
    for some in _blocks(0, len(rows), embeddings.shape, len(bias)):
        yield _averaged(embeddings[rows[some]], kernel, bias)


def softmax(logits: Floats) -> Floats:
    powers = np.exp(logits - logits.max(1, keepdims=True))
    powers /= powers.sum(1, keepdims=True)
    return powers


def cross_entropy(targets: Floats, logits: Floats) -> Floats:
    """The log loss [n] of the softmax of these logits; `targets` [n, classes] sum to 1."""
    shifted = logits - logits.max(1, keepdims=True)
    chosen = np.einsum("ij,ij->i", targets, shifted)
    return np.log(np.exp(shifted, out=shifted).sum(1)) - chosen


def one_hot(numbers: Ints, count: int) -> Floats:
    targets = np.zeros((len(numbers), count), np.float32)
    targets[np.arange(len(numbers)), numbers] = 1
    return targets


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
    embeddings: Embeddings, rows: Ints, truth: Ints, groups: Ints, penalties: list[float], seed: int
) -> tuple[Ints, Floats, Floats, pd.DataFrame]:
    """With the best penalty: classes that occur, kernel [features, classes] and bias; and a row for each penalty."""
    inner = _inner(truth, groups, seed)
    order = np.argsort(inner, kind="stable")  # the inner quarter last, so that it and the others are slices
    truth, standardised = truth[order], Standardised(embeddings, rows[order])
    features = standardised.kept()
    history = _try_penalties(features, truth, int(inner.sum()), penalties)
    best = float(history.penalty[history.inner_log_loss.fillna(np.inf).to_numpy().argmin()])
    log.info("penalty %g of %s", best, penalties)
    classes, kernel, bias = _logistic(features, truth, best)
    kernel /= standardised.deviation[:, None]
    return classes, kernel, bias - standardised.mean @ kernel, history


def _inner(truth: Ints, groups: Ints, seed: int) -> NDArray[np.bool_]:
    """The photos that choose the penalty: a quarter of the groups, less classes that only they have."""
    shuffled = np.random.default_rng(seed).permutation(np.unique(groups))
    inner = np.isin(groups, shuffled[: len(shuffled) // INNER_SHARE])
    return inner & np.isin(truth, truth[~inner])  # such a class says nothing of the penalty


def _try_penalties(features: Standardised | Floats, truth: Ints, inner: int, penalties: list[float]) -> pd.DataFrame:
    """The log loss of each penalty on the last `inner` photos, fitted on the others, the strongest first."""
    from podium.predictions.scores import log_losses

    tried, outer = [], len(truth) - inner
    for penalty in sorted(penalties, reverse=True):
        loss = np.nan
        if inner:
            classes, kernel, bias = _logistic(features, truth[:outer], penalty)
            losses = [
                log_losses(np.searchsorted(classes, truth[some]), _averaged(features[some], kernel, bias))
                for some in _blocks(outer, len(truth), features.shape[-2:], len(classes))
            ]
            loss = float(np.concatenate(losses).mean())
        tried.append({"penalty": penalty, "inner_log_loss": loss})
    return pd.DataFrame(tried)


def _logistic(features: Standardised | Floats, truth: Ints, penalty: float) -> tuple[Ints, Floats, Floats]:
    """Classes among the first photos, whose `truth` this is, and kernel [features, classes] and bias of a softmax."""
    (classes, numbers), (views, width) = np.unique(truth, return_inverse=True), features.shape[-2:]
    if len(classes) == 1:  # a class of one photo, in whose fold the other is alone
        return classes, np.zeros((width, 1), np.float32), np.zeros(1, np.float32)

    def blocks() -> Iterator[tuple[Floats, Floats]]:
        for some in _blocks(0, len(truth), (views, width), len(classes)):
            yield features[some].reshape(-1, width), one_hot(np.repeat(numbers[some], views), len(classes))

    # Two classes have opposite kernels, of which scikit-learn penalises the difference: that is twice as much.
    strength = 2 * penalty if len(classes) == 2 else penalty
    kernel, bias, passes = logistic.solve(blocks, (width, len(classes)), strength, softmax, cross_entropy)
    log.debug("penalty %g: the embeddings were read %d times", penalty, passes)
    return classes, kernel, bias


def _averaged(embeddings: Floats, kernel: Floats, bias: Floats) -> Floats:
    """Probabilities [n, classes] of embeddings [n, views, features], averaged over the views."""
    photos, views, features = embeddings.shape
    probabilities = softmax(embeddings.reshape(-1, features) @ kernel + bias)
    return probabilities.reshape(photos, views, len(bias)).mean(1)


def _blocks(start: int, stop: int, shape: tuple[int, ...], outputs: int = 0) -> Iterator[slice]:
    """The photos from `start` to `stop` in blocks, at least one; a photo has `shape`, views and features."""
    views, features = shape
    # Beside the logits there are three arrays of the same size.
    size = max(1, max(LEAST, BLOCK // (features + 4 * outputs)) // views)
    for first in range(start, max(stop, start + 1), size):
        yield slice(first, min(first + size, stop))


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
