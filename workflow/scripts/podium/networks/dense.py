"""What networks share that answer each pixel: from features of several scales to predictions. Needs TensorFlow.

Source: Ronneberger et al., "U-Net: convolutional networks for biomedical image segmentation", 2015.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from podium import tasks
from podium.models.reading import saved_metadata
from podium.networks import training
from podium.photos.pixels import Pixels
from podium.tasks.dense import DenseTask

MOMENTUM = 0.9  # of batch norms, as fits may have few steps
MOST = 8  # times the width, of the coarsest scales

Floats = NDArray[np.float32]
Ints = NDArray[np.int64]


def channels(width: int, scale: int) -> int:
    """Those at a scale, of 0 for the finest."""
    return width * min(2**scale, MOST)


def convolved(features: Any, count: int, kernel: int, policy: str) -> Any:
    found = keras.layers.Conv2D(count, kernel, padding="same", use_bias=False, dtype=policy)(features)
    return keras.layers.ReLU(dtype=policy)(keras.layers.BatchNormalization(momentum=MOMENTUM, dtype=policy)(found))


def decoded(found: Any, skipped: list[Any], width: int, policy: str) -> Any:
    """The coarsest features, joined with those that each finer scale has kept, the finest first."""
    for scale in reversed(range(len(skipped))):
        count = channels(width, scale)
        found = keras.layers.UpSampling2D(dtype=policy)(found)
        found = keras.layers.Concatenate(dtype=policy)([found, skipped[scale]])
        found = convolved(convolved(found, count, 3, policy), count, 3, policy)
    return found


def answering(photo: Any, found: Any, task: DenseTask, dropout: float, policy: str) -> keras.Model:
    """A network of a photo's features of the finest scale, whose output the loss takes."""
    found = keras.layers.SpatialDropout2D(dropout, dtype=policy)(found)
    logits = keras.layers.Conv2D(task.link.channels, 1, dtype="float32", name="logits")(found)
    return keras.Model(photo, task.link.output(photo, logits))


def finished(trained: keras.Model, task: DenseTask, size: int) -> keras.Model:
    """Predictions [n, side * side * channels] of photos of this size."""
    inputs = keras.Input((size, size, 3))
    found = task.link.finished(trained(inputs, training=False))
    if found.shape[1] != task.side:
        found = keras.layers.Resizing(task.side, task.side, dtype="float32")(found)
    return keras.Model(inputs, keras.layers.Flatten(dtype="float32")(found))


def rebuilt(trained: keras.Model, plain: keras.Model) -> keras.Model:
    """The network as it was built, with the weights of a fit and without what only that needs, such as the loss."""
    plain.set_weights(trained.get_weights())
    return plain


def predict(
    model: Path, parts: list[Path], rows: Ints, views: list[str], saved_model: str | None = None
) -> Iterator[Floats]:
    """Predictions float32 [n, side * side * channels] of these rows of the pixels; those of a mirrored photo are
    mirrored back before they are averaged."""
    task = tasks.task(saved_metadata(model)["task"])
    assert isinstance(task, DenseTask)
    return training.average(training.load(model, saved_model), Pixels(parts), rows, views, side=task.side)
