"""What stands between a network's logits and its predictions, as generalised linear models call it: the link.

Each has the last activation, the loss and its derivative; predictions are probabilities, or numbers for `Identity`.
"""

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, logit

if TYPE_CHECKING:
    import keras

HUBER = 0.1  # deviations; smaller errors count by their square, so that the absolute error has a slope

Floats = NDArray[np.float32]


class Link(ABC):
    """The last step of a network, and what it is fitted by."""

    activation: str  # Keras's name of the function from logits to predictions
    exclusive = False  # exactly one output is true of each photo
    classes_of_pixels = False  # exactly one is true of each pixel
    scaled_targets = False  # targets are fitted with mean 0 and deviation 1
    curvature = 1.0  # of its loss, compared with that of cross-entropies; penalties are as many times stronger

    @abstractmethod
    def loss(self, label_smoothing: float, weights: Floats) -> "keras.losses.Loss":
        """The loss of targets and logits; needs TensorFlow. Its meaning of `weights` is that of `weighted`."""

    @abstractmethod
    def predictions(self, logits: Floats) -> Floats:
        """The activation's result, float32 [n, outputs]."""

    @abstractmethod
    def losses(self, targets: Floats, logits: Floats) -> Floats:
        """The loss of each row, [n], summed over the outputs."""

    def errors(self, targets: Floats, logits: Floats) -> Floats:
        """The derivative of `losses` by the logits, [n, outputs]."""
        found = self.predictions(logits)
        found -= targets
        return found

    def weighted(self, targets: Floats, weights: Floats) -> Floats | None:
        """How much each row counts, [n], where its output has one of these weights [outputs]; None if all count one."""
        return targets @ weights if self.exclusive and (weights != 1).any() else None

    @abstractmethod
    def tempered(self, predictions: Floats, temperature: float | Floats) -> Floats:
        """Predictions [n, outputs] with their logits divided by the temperature, one for all or [n, 1].

        Above 1 they become less confident; at 1 they do not change. The order of a photo's outputs never changes.
        """


class Softmax(Link):
    """One of several classes: cross-entropy."""

    activation, exclusive = "softmax", True

    def loss(self, label_smoothing: float, weights: Floats) -> "keras.losses.Loss":
        import keras

        plain = keras.losses.CategoricalCrossentropy(from_logits=True, label_smoothing=label_smoothing, reduction=None)

        def weighted(targets: Any, logits: Any) -> Any:
            return keras.ops.mean(plain(targets, logits) * keras.ops.sum(targets * weights, -1))

        return (
            weighted
            if (weights != 1).any()
            else keras.losses.CategoricalCrossentropy(from_logits=True, label_smoothing=label_smoothing)
        )

    def predictions(self, logits: Floats) -> Floats:
        powers = np.exp(logits - logits.max(1, keepdims=True))
        return powers / powers.sum(1, keepdims=True)

    def losses(self, targets: Floats, logits: Floats) -> Floats:
        shifted = logits - logits.max(1, keepdims=True)
        chosen = np.einsum("ij,ij->i", targets, shifted)
        return np.log(np.exp(shifted, out=shifted).sum(1)) - chosen

    def tempered(self, predictions: Floats, temperature: float | Floats) -> Floats:
        logits = np.log(np.maximum(predictions, np.finfo(np.float32).tiny))
        scaled = self.predictions(np.divide(logits, temperature, dtype=np.float32))
        return np.where(np.equal(temperature, 1), predictions, scaled)


class Sigmoid(Link):
    """Outputs that are true or not, each by itself: binary cross-entropy."""

    activation = "sigmoid"

    def loss(self, label_smoothing: float, weights: Floats) -> "keras.losses.Loss":  # noqa: ARG002
        import keras

        return keras.losses.BinaryCrossentropy(from_logits=True, label_smoothing=label_smoothing)

    def predictions(self, logits: Floats) -> Floats:
        return expit(logits)

    def losses(self, targets: Floats, logits: Floats) -> Floats:
        return (np.logaddexp(0, logits) - targets * logits).sum(1)

    def tempered(self, predictions: Floats, temperature: float | Floats) -> Floats:
        limits = np.finfo(np.float32)
        logits = logit(np.clip(predictions, limits.tiny, 1 - limits.epsneg))
        scaled = expit(np.divide(logits, temperature, dtype=np.float32))
        return np.where(np.equal(temperature, 1), predictions, scaled)


class Identity(Link):
    """Numbers: half the squared error, or where it is `robust` the absolute one, by Huber's loss.

    Huber, "Robust estimation of a location parameter", 1964.
    """

    activation, scaled_targets, curvature = "linear", True, 30.0

    def __init__(self, *, robust: bool) -> None:
        self._robust = robust

    def loss(self, label_smoothing: float, weights: Floats) -> "keras.losses.Loss":  # noqa: ARG002
        import keras

        return keras.losses.Huber(delta=HUBER) if self._robust else keras.losses.MeanSquaredError()

    def predictions(self, logits: Floats) -> Floats:
        return logits

    def losses(self, targets: Floats, logits: Floats) -> Floats:
        error = logits - targets
        if not self._robust:
            return (error**2).sum(1) / 2
        small = np.minimum(np.abs(error), HUBER)
        return (small * (np.abs(error) - small / 2)).sum(1)

    def errors(self, targets: Floats, logits: Floats) -> Floats:
        error = logits - targets
        return np.clip(error, -HUBER, HUBER) if self._robust else error

    def tempered(self, predictions: Floats, temperature: float | Floats) -> Floats:  # noqa: ARG002
        """Numbers have no confidence, so they stay as they are."""
        return predictions
