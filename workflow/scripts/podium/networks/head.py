"""A linear head on the embeddings of a frozen backbone: logistic or linear regression.

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
from podium.predictions.stored import some
from podium.step import BadInput, log
from podium.tasks.links import Link

if TYPE_CHECKING:
    import keras

LAYER = "head"
FEATURE_WEIGHTS = (1.0, 3.0, 10.0)  # of numbers beside the photos, of which there are few beside the embeddings
INNER_SHARE = 4  # one photo in four chooses the penalty
LEAST_DEVIATION = np.float32(1e-3)  # added to that of each number in an embedding
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

    `penalties` are strengths of the L2 penalty on standardised features; the one with which the task's `guide` is
    least on an inner quarter of the photos is used. `precision` is that of the embeddings, so that the model agrees
    with them. Returns the model and a row for each penalty tried.
    """
    outputs, kernel, bias, history = _chosen(data, penalties, views, seed)
    full_kernel = np.zeros((len(kernel), data.outputs), np.float32)
    full_bias = np.full(data.outputs, (bias.min() if len(bias) else 0) - ABSENT, np.float32)
    full_kernel[:, outputs], full_bias[outputs] = kernel, bias
    model = _model(backbone, weights, precision, size, data.task.link.activation, full_kernel, full_bias)
    return for_any_size(model, size, fit), history


def predict(
    model: Path,
    parts: list[Path],
    rows: Ints,
    views: list[str],
    saved_model: str | None = None,  # noqa: ARG001 (only the head is read)
    features: Floats | None = None,
) -> Iterator[Floats]:
    """Predictions float32 [n, outputs] of these rows of the embeddings, averaged over the views, in blocks.

    `features` are numbers beside all photos in `parts`, if the model takes them.
    """
    link = tasks.task(saved_metadata(model)["task"]).link
    embeddings, (kernel, bias) = Embeddings(parts, views, features), _weights(model)
    for block in _blocks(0, len(rows), embeddings.shape, len(bias)):
        yield _averaged(link, embeddings[rows[block]], kernel, bias)


class Embeddings:
    """The embeddings of several files as if they were one array [photos, *shape], where `shape` is views, features.

    A file has a field for each of its views; a photo's views may stand in two files. Features beside all photos,
    float32 [photos, k], come last in each view. Raises ValueError unless all views are there for all photos.
    """

    def __init__(self, parts: list[Path], views: list[str], features: Floats | None = None) -> None:
        self._views, ends, self._features = views, dict.fromkeys(views, 0), features
        self._stored = list[tuple[int, Rows]]()  # each behind the number of its first photo
        for _, alike in groupby(parts, lambda part: Rows([part]).dtype):
            stored = Rows([*alike])
            if own := [view for view in ends if view in (stored.dtype.names or ())]:
                self._stored.append((ends[own[0]], stored))
                ends |= {view: ends[view] + len(stored) for view in own}
                self.shape = (len(views), *stored.dtype[own[0]].shape)
        if not self._stored or len({*ends.values()}) > 1:
            raise ValueError(f"embeddings of other photos for each view: {ends}")
        self._width = self.shape[1]
        self.shape = (len(views), self._width + (0 if features is None else features.shape[1]))

    def __getitem__(self, rows: Ints) -> Floats:
        """Those of these photos: float32 [n, *shape]."""
        found = np.empty((len(rows), *self.shape), np.float32)
        for start, stored in self._stored:
            here = np.flatnonzero((rows >= start) & (rows < start + len(stored)))
            records = stored[rows[here] - start]
            for place, view in enumerate(self._views):
                if view in (records.dtype.names or ()):
                    found[here, place, : self._width] = records[view]
        if self._features is not None:
            found[:, :, self._width :] = self._features[rows][:, None]
        return found


class Standardised:
    """The embeddings of these photos with mean 0 and deviation 1, read as they are sliced: float32 [n, *shape]."""

    def __init__(self, embeddings: Embeddings, rows: Ints) -> None:
        from sklearn.preprocessing import StandardScaler

        self._embeddings, self._rows, self.shape = embeddings, rows, embeddings.shape
        scaler = StandardScaler()  # which sums in float64
        for block in _blocks(0, len(rows), self.shape):
            scaler.partial_fit(embeddings[rows[block]].reshape(-1, self.shape[-1]))
        self.mean = scaler.mean_.astype(np.float32)
        self._spread = np.sqrt(scaler.var_).astype(np.float32)
        self.deviation = self._spread + LEAST_DEVIATION

    def __getitem__(self, photos: slice) -> Floats:
        found = self._embeddings[self._rows[photos]]
        found -= self.mean
        found /= self.deviation
        return found

    def weigh(self, features: int, weight: float) -> None:
        """Makes the last so many numbers count as if each stood there `weight` squared times."""
        if features:
            own = self._spread[-features:]
            self.deviation[-features:] = np.where(own > 0, own, 1) / np.float32(weight)

    def kept(self) -> "Standardised | Floats":
        """The same in memory, where it takes little of it."""
        if 4 * len(self._rows) * math.prod(self.shape) > KEPT:
            return self
        found = np.empty((len(self._rows), *self.shape), np.float32)
        for block in _blocks(0, len(found), self.shape):
            found[block] = self[block]
        return found


def _chosen(
    data: Dataset, penalties: list[float], views: list[str], seed: int
) -> tuple[Ints, Floats, Floats, pd.DataFrame]:
    """With the best penalty: outputs that occur, kernel [features, outputs] and bias; and a row for each penalty."""
    inner = _inner(data.strata(), data.groups, seed)
    order = np.argsort(inner, kind="stable")  # the inner quarter last, so that it and the others are slices
    beside = data.features
    standardised = Standardised(Embeddings(data.files, views, _at(data.rows, beside)), data.rows[order])
    tried = []
    for weight in FEATURE_WEIGHTS if beside is not None else FEATURE_WEIGHTS[:1]:
        standardised.weigh(0 if beside is None else beside.shape[1], weight)
        features = standardised.kept()
        tried.append((weight, _try_penalties(data, order, features, int(inner.sum()), penalties)))
    weight, history = min(tried, key=lambda each: each[1].inner_loss.fillna(np.inf).min())
    best = float(history.penalty[history.inner_loss.fillna(np.inf).to_numpy().argmin()])
    log.info("penalty %g of %s", best, penalties)
    if beside is not None:
        log.info("features beside the photos count %g times, of %s", weight, FEATURE_WEIGHTS)
        standardised.weigh(beside.shape[1], weight)
        features = standardised.kept()
    outputs, kernel, bias = _logistic(data, order, features, best)
    centre, spread = (each[outputs] for each in data.scale)
    kernel *= spread / standardised.deviation[:, None]
    return outputs, kernel, bias * spread + centre - standardised.mean @ kernel, history


def _at(rows: Ints, features: Floats | None) -> Floats | None:
    """Features of some photos, at these rows of an array of all; others have none."""
    if features is None:
        return None
    found = np.zeros((int(rows.max()) + 1, features.shape[1]), np.float32)
    found[rows] = features
    return found


def _inner(strata: Ints, groups: Ints, seed: int) -> NDArray[np.bool_]:
    """The photos that choose the penalty: a quarter of the groups, less classes that only they have."""
    shuffled = np.random.default_rng(seed).permutation(np.unique(groups))
    inner = np.isin(groups, shuffled[: len(shuffled) // INNER_SHARE])
    return inner & np.isin(strata, strata[~inner])  # such a class says nothing of the penalty


def _try_penalties(
    data: Dataset, photos: Ints, features: Standardised | Floats, inner: int, penalties: list[float]
) -> pd.DataFrame:
    """The loss of each penalty on the last `inner` of these photos, fitted on the others, the strongest first."""
    tried, outer = [], len(photos) - inner
    for penalty in sorted(penalties, reverse=True):
        loss = np.nan
        if inner:
            fitted = _logistic(data, photos[:outer], features, penalty)
            loss = _inner_loss(data, photos, features, outer, *fitted)
        tried.append({"penalty": penalty, "inner_loss": loss})
    return pd.DataFrame(tried)


def _inner_loss(
    data: Dataset,
    photos: Ints,
    features: Standardised | Floats,
    outer: int,
    outputs: Ints,
    kernel: Floats,
    bias: Floats,
) -> float:
    """What the task's `guide` says of a head on the photos behind the first `outer`, or as many as fill a block."""
    chosen = outer + some(np.arange(len(photos) - outer), data.outputs)
    predictions = np.zeros((len(chosen), data.outputs), np.float32)
    centre, spread = (each[outputs] for each in data.scale)
    for block in _blocks(outer, len(photos), features.shape[-2:], data.outputs):
        rows = np.flatnonzero((chosen >= block.start) & (chosen < block.stop))
        found = _averaged(data.task.link, features[block], kernel, bias)[chosen[rows] - block.start]
        predictions[np.ix_(rows, outputs)] = found * spread + centre
    return data.task.guide(data.truth[photos[chosen]], predictions)


def _logistic(
    data: Dataset, photos: Ints, features: Standardised | Floats, penalty: float
) -> tuple[Ints, Floats, Floats]:
    """Outputs that occur among these photos, whose features come first, and kernel [features, outputs] and bias."""
    (views, width), link = features.shape[-2:], data.task.link
    outputs = _occurring(data, photos)
    if not len(outputs):  # none of these photos has a label
        return outputs, np.zeros((width, 0), np.float32), np.zeros(0, np.float32)
    if link.exclusive and len(outputs) == 1:  # a class of one photo, in whose fold the other is alone
        return outputs, np.zeros((width, 1), np.float32), np.zeros(1, np.float32)

    def blocks() -> Iterator[tuple[Floats, Floats]]:
        for block in _blocks(0, len(photos), (views, width), data.outputs):
            targets = data.targets(photos[block])[:, outputs]
            yield features[block].reshape(-1, width), np.repeat(targets, views, axis=0)

    # Two classes have opposite kernels, of which scikit-learn penalises the difference: that is twice as much.
    strength = penalty * link.curvature * (2 if link.exclusive and len(outputs) == 2 else 1)
    shape = width, len(outputs)
    kernel, bias, passes = logistic.solve(blocks, shape, strength, link, data.weights[outputs])
    log.debug("penalty %g: the embeddings were read %d times", penalty, passes)
    return outputs, kernel, bias


def _occurring(data: Dataset, photos: Ints) -> Ints:
    """The outputs that are true of any of these photos, in their order; all, where they are numbers."""
    if data.task.link.scaled_targets:
        return np.arange(data.outputs)
    found = np.zeros(data.outputs, bool)
    for block in _blocks(0, len(photos), (1, 0), data.outputs):
        found |= data.targets(photos[block]).any(0)
    return np.flatnonzero(found)


def _averaged(link: Link, embeddings: Floats, kernel: Floats, bias: Floats) -> Floats:
    """Predictions [n, outputs] of embeddings [n, views, features], averaged over the views."""
    photos, views, features = embeddings.shape
    predictions = link.predictions(embeddings.reshape(-1, features) @ kernel + bias)
    return predictions.reshape(photos, views, len(bias)).mean(1)


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
    inputs, embedding = frozen.input, frozen.output
    if beside := len(kernel) - embedding.shape[-1]:
        inputs = [inputs, keras.Input((beside,), name="beside")]
        embedding = keras.layers.Concatenate()([keras.ops.cast(embedding, "float32"), inputs[1]])
    model = keras.Model(inputs, head(embedding))
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
