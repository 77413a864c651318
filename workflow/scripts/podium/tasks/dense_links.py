"""Links of tasks that answer each pixel; photos, targets and logits are [n, height, width, channels].

Needs TensorFlow only in the methods that say so.
"""

from abc import abstractmethod
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from podium.tasks.links import Link, Softmax

if TYPE_CHECKING:
    import keras

LUMA = [0.299, 0.587, 0.114]  # the grey of a colour, as Pillow and ITU-R BT.601 compute it
CHROMA = [[0.0, -0.344136, 1.772], [1.402, -0.714136, 0.0]]  # what Cb and Cr add to that grey in red, green and blue
BIN = 16  # of 255, the distance of the chroma that are told apart
SOFT = 0.5  # of it, over which a true chroma is spread
ANNEALED = 0.38  # the temperature at which the mean of a pixel's chroma is taken
SPACED = 4  # rows and columns apart are the pixels that are sorted
SMALLEST = 1e-5  # mean squared error, of 50 dB, below which a photo is as good as right

Floats = NDArray[np.float32]


class LinkOfPixels(Link):
    """What stands behind a network's last convolution."""

    coarse = False  # whether a network need only say something of every other row and column
    channels: int  # of the last convolution

    @abstractmethod
    def output(self, photo: Any, logits: Any) -> Any:
        """What the loss is of: layers on a photo in 0..255 and on logits. Needs TensorFlow."""

    @abstractmethod
    def finished(self, output: Any) -> Any:
        """Predictions of such outputs, as layers. Needs TensorFlow."""


class SoftmaxOfPixels(Softmax, LinkOfPixels):
    """One of several classes a pixel: cross-entropy, and where their `overlap` counts also what it lacks of 1: `dice`,
    or `iou` as Lovász's extension makes a loss of it. Both are those of a whole batch.

    Targets and logits are [n, height, width, classes]; a pixel without a target counts for nothing. Sources: Milletari
    et al., "V-Net", 2016; Berman et al., "The Lovász-Softmax loss", 2018.
    """

    exclusive, classes_of_pixels, coarse = False, True, True

    def __init__(self, classes: int, overlap: Literal["dice", "iou"] | None) -> None:
        self.channels, self._overlap = classes, overlap

    def output(self, photo: Any, logits: Any) -> Any:  # noqa: ARG002
        return logits

    def finished(self, output: Any) -> Any:
        import keras

        return keras.layers.Softmax(dtype="float32")(output)

    def predictions(self, logits: Floats) -> Floats:
        """Float32 [n, height, width, classes]."""
        return super().predictions(logits.reshape(-1, logits.shape[-1])).reshape(logits.shape)

    def loss(self, label_smoothing: float, weights: Floats) -> "keras.losses.Loss":
        import keras

        plain = keras.losses.CategoricalCrossentropy(from_logits=True, label_smoothing=label_smoothing, reduction=None)

        def both(targets: Any, logits: Any) -> Any:
            each = keras.ops.sum(targets * weights, -1)  # 0 of pixels without a target
            loss = keras.ops.sum(plain(targets, logits) * each) / keras.ops.maximum(keras.ops.sum(each), 1)
            if self._overlap is None:
                return loss
            said = keras.ops.softmax(logits) * keras.ops.max(targets, -1, keepdims=True)
            return loss + (_lack_of_dice if self._overlap == "dice" else _lack_of_iou)(targets, said)

        return both


def _lack_of_dice(targets: Any, said: Any) -> Any:
    import keras

    axes = (0, 1, 2)
    sums = keras.ops.sum(said, axes) + keras.ops.sum(targets, axes)
    return 1 - keras.ops.mean((2 * keras.ops.sum(said * targets, axes) + 1) / (sums + 1))


def _lack_of_iou(targets: Any, said: Any) -> Any:
    """The mean of the classes that occur, of evenly spaced pixels, as sorting takes long."""
    import keras

    ops = keras.ops
    rows = [ops.reshape(each[:, ::SPACED, ::SPACED], (-1, each.shape[-1])) for each in (targets, said)]
    errors = ops.abs(rows[0] - rows[1])
    order = ops.argsort(-errors, axis=0)
    errors, truth = (ops.take_along_axis(each, order, axis=0) for each in (errors, rows[0]))
    count = ops.sum(truth, 0)
    lacking = 1 - (count - ops.cumsum(truth, 0)) / ops.maximum(count + ops.cumsum(1 - truth, 0), 1)
    steps = lacking - ops.pad(lacking[:-1], [[1, 0], [0, 0]])
    there = ops.cast(count > 0, "float32")
    return ops.sum(ops.sum(errors * steps, 0) * there) / ops.maximum(ops.sum(there), 1)


class Residual(LinkOfPixels):
    """A picture, of which the logits are the difference to the photo; where that is grey, the chroma, Cb and Cr.

    The loss is that of the metric: the mean of the photos' decibels, the squared or the absolute error, or what
    structural similarity lacks of 1, with the absolute error.
    """

    activation = "linear"

    def __init__(self, metric: str, *, grey: bool, colours: int) -> None:
        """`grey` says whether photos are; pictures have 1 or 3 `colours`."""
        self._metric, self._chroma, self._colours = metric, grey and colours > 1, colours
        self.channels = 2 if self._chroma else colours

    def output(self, photo: Any, logits: Any) -> Any:
        import keras

        photo = keras.layers.Rescaling(1 / 255, dtype="float32")(photo)
        photo = photo if self._colours > 1 else _mixed(photo, [[share] for share in LUMA], "luma")
        return keras.layers.Add(dtype="float32")([photo, _mixed(logits, CHROMA, "chroma") if self._chroma else logits])

    def finished(self, output: Any) -> Any:
        import keras

        return keras.layers.ReLU(max_value=1.0, dtype="float32")(output)

    def loss(self, label_smoothing: float, weights: Floats) -> "keras.losses.Loss":  # noqa: ARG002
        import keras

        axes = (1, 2, 3)

        def squared(targets: Any, outputs: Any) -> Any:
            return keras.ops.mean(keras.ops.square(targets - outputs), axes)

        def absolute(targets: Any, outputs: Any) -> Any:
            return keras.ops.mean(keras.ops.abs(targets - outputs), axes)

        def decibels(targets: Any, outputs: Any) -> Any:
            return 10 * keras.ops.log10(squared(targets, outputs) + SMALLEST)

        def unlike(targets: Any, outputs: Any) -> Any:
            import tensorflow as tf

            return 1 - tf.image.ssim(targets, outputs, 1.0) + absolute(targets, outputs)

        known = {"psnr": decibels, "rmse": squared, "ssim": unlike}
        return known.get(self._metric, absolute)

    def pictures(self, outputs: Any) -> Any:
        """Of such outputs, in 0..1, in Keras's operations."""
        import keras

        return keras.ops.clip(outputs, 0, 1)

    def predictions(self, logits: Floats) -> Floats:
        return np.clip(logits, 0, 1)

    def losses(self, targets: Floats, logits: Floats) -> Floats:
        return ((targets - logits) ** 2).mean((1, 2, 3))

    def tempered(self, predictions: Floats, temperature: float | Floats) -> Floats:  # noqa: ARG002
        """Colours have no confidence, so they stay as they are."""
        return predictions


class ColourBins(LinkOfPixels):
    """Chroma as classes: which of some values of Cb and Cr a pixel has, beside the grey that it has already.

    Frequent chroma count less. The answer is the annealed mean of the chroma. Source: Zhang et al., "Colorful image
    colorization", 2016, there in a and b of CIE Lab; in Cb and Cr the grey of the photo stays what it is.
    """

    activation, classes_of_pixels = "linear", True

    def __init__(self) -> None:
        self._bins = _bins()
        self.channels = len(self._bins)

    def output(self, photo: Any, logits: Any) -> Any:
        """The logits and, behind them, the photo's grey."""
        import keras

        grey = keras.layers.Rescaling(1 / 255, dtype="float32")(_mixed(photo, [[share] for share in LUMA], "luma"))
        return keras.layers.Concatenate(dtype="float32")([logits, grey])

    def finished(self, output: Any) -> Any:
        import keras

        shares = keras.layers.Softmax(dtype="float32")(
            keras.layers.Rescaling(1 / ANNEALED, dtype="float32")(output[..., :-1])
        )
        colours = _mixed(shares, (self._bins @ np.array(CHROMA)).tolist(), "chroma")
        return keras.layers.ReLU(max_value=1.0, dtype="float32")(
            keras.layers.Add(dtype="float32")([colours, output[..., -1:]])
        )

    def loss(self, label_smoothing: float, weights: Floats) -> "keras.losses.Loss":  # noqa: ARG002
        import keras

        def weighted(targets: Any, outputs: Any) -> Any:
            shares = self._shares(keras.ops, targets)
            each = -keras.ops.sum(shares * keras.ops.log_softmax(outputs[..., :-1]), -1)
            return keras.ops.mean(each * keras.ops.sum(shares * weights, -1))

        return weighted

    def frequencies(self, pictures: NDArray[np.uint8]) -> NDArray[np.int64]:
        """How often each chroma occurs in pictures [..., 3], mixed with the same number for each, half and half."""
        counts = self._shares(np, pictures.reshape(-1, 3).astype(np.float32) / np.float32(255)).sum(0)
        return np.rint((counts + counts.mean()) / 2).astype(np.int64)

    def _shares(self, library: Any, colours: Any) -> Any:
        """How much of each bin a colour [..., 3] in 0..1 has, [..., bins]; in numpy or in Keras's operations."""
        grey = library.sum(colours * np.array(LUMA, np.float32), -1)
        chroma = library.stack([(colours[..., 2] - grey) / CHROMA[0][2], (colours[..., 0] - grey) / CHROMA[1][0]], -1)
        apart = library.sum(library.square(library.expand_dims(chroma, -2) - self._bins), -1)
        near = library.exp(-apart / (2 * (SOFT * BIN / 255) ** 2))
        return near / library.sum(near, -1, keepdims=True)

    def pictures(self, outputs: Any) -> Any:
        import keras

        shares = keras.ops.softmax(outputs[..., :-1] / ANNEALED)
        return keras.ops.clip(shares @ (self._bins @ np.array(CHROMA, np.float32)) + outputs[..., -1:], 0, 1)

    def predictions(self, logits: Floats) -> Floats:
        powers = np.exp((logits[..., :-1] - logits[..., :-1].max(-1, keepdims=True)) / ANNEALED)
        colours = powers / powers.sum(-1, keepdims=True) @ (self._bins @ np.array(CHROMA, np.float32))
        return np.clip(colours + logits[..., -1:], 0, 1)

    def losses(self, targets: Floats, logits: Floats) -> Floats:
        return ((targets - self.predictions(logits)) ** 2).mean((1, 2, 3))

    def tempered(self, predictions: Floats, temperature: float | Floats) -> Floats:  # noqa: ARG002
        return predictions


def _bins() -> Floats:
    """Cb and Cr, float32 [bins, 2], on a grid, of those that some grey makes a colour of."""
    steps = np.arange(-(128 // BIN), 128 // BIN + 1) * BIN / 255
    grid = np.stack(np.meshgrid(steps, steps), -1).reshape(-1, 2)
    added = grid @ np.array(CHROMA)
    return grid[np.ptp(added, axis=1) <= 1].astype(np.float32)


def _mixed(values: Any, matrix: list[list[float]], name: str) -> Any:
    """Each pixel's channels times a matrix that never trains: a layer that a saved model has too."""
    import keras

    layer = keras.layers.Conv2D(len(matrix[0]), 1, use_bias=False, dtype="float32", name=name)
    layer.build((None, None, None, len(matrix)))
    layer.set_weights([np.array(matrix, np.float32)[None, None]])
    layer.trainable = False
    return layer(values)
