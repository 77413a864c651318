"""Networks without their batch norms, against the same networks with them."""

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import pytest

from podium.backbones import folding

layers = keras.layers
NORM = layers.BatchNormalization


def drawn(network: keras.Model) -> keras.Model:
    """The network with other weights than those that leave a batch norm without effect."""
    random = np.random.default_rng(0)
    network.set_weights([random.uniform(0.5, 1.5, each.shape) for each in network.get_weights()])
    return network


def network(build: Callable[[Any], Any]) -> keras.Model:
    inputs = keras.Input((9, 11, 3))
    return drawn(keras.Model(inputs, build(inputs)))


def two_readers(x: Any) -> Any:
    x = layers.Conv2D(4, 3)(x)
    return layers.Add()([NORM()(x), x])


def read_as_an_answer(x: Any) -> Any:
    x = layers.Conv2D(4, 3)(x)
    return [NORM()(x), x]


def one_layer_twice(x: Any) -> Any:
    norm, convolution = NORM(), layers.Conv2D(3, 1)
    return norm(convolution(layers.ReLU()(norm(layers.Conv2D(3, 3)(x)))))


# How a batch norm may stand in a network, and how many of them are left.
FOLDED: dict[str, tuple[Callable[[Any], Any], int]] = {
    "a convolution": (lambda x: NORM()(layers.Conv2D(4, 3)(x)), 0),
    "without a bias": (lambda x: NORM()(layers.Conv2D(4, 3, use_bias=False, padding="same")(x)), 0),
    "in groups": (lambda x: NORM()(layers.Conv2D(6, 3, groups=3)(x)), 0),
    "depthwise": (lambda x: NORM()(layers.DepthwiseConv2D(3, use_bias=False)(x)), 0),
    "depthwise, two for each channel": (lambda x: NORM()(layers.DepthwiseConv2D(3, 2, depth_multiplier=2)(x)), 0),
    "separable": (lambda x: NORM()(layers.SeparableConv2D(5, 3, use_bias=False)(x)), 0),
    "separable, two for each channel": (lambda x: NORM()(layers.SeparableConv2D(5, 3, depth_multiplier=2)(x)), 0),
    "without scale": (lambda x: NORM(scale=False)(layers.Conv2D(4, 3)(x)), 0),
    "without centre": (lambda x: NORM(center=False, epsilon=0.1)(layers.Conv2D(4, 3)(x)), 0),
    "two in a row": (lambda x: layers.ReLU()(NORM()(NORM()(layers.Conv2D(4, 3)(x)))), 1),
    "behind an activation": (lambda x: NORM()(layers.Conv2D(4, 3, activation="relu")(x)), 1),
    "behind an activation of its own": (lambda x: NORM()(layers.ReLU()(layers.Conv2D(4, 3)(x))), 1),
    "before the convolution": (lambda x: layers.Conv2D(4, 3)(layers.ReLU()(NORM()(x))), 1),
    "beside another reader": (two_readers, 1),
    "beside the answer": (read_as_an_answer, 1),
    "used twice": (one_layer_twice, 1),
}


@pytest.mark.parametrize(("build", "left"), FOLDED.values(), ids=FOLDED)
def test_it_answers_the_same_with_as_few_batch_norms_as_may_be(build: Callable[[Any], Any], left: int) -> None:
    made = network(build)
    folded = folding.fold(made)
    photos = np.random.default_rng(1).normal(size=(2, 9, 11, 3)).astype(np.float32)
    for found, expected in zip(
        keras.tree.flatten(folded(photos, training=False)),
        keras.tree.flatten(made(photos, training=False)),
        strict=True,
    ):
        np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-4)
    assert sum(isinstance(layer, NORM) for layer in folded.layers) == left


def test_the_network_that_was_given_stays_as_it_was() -> None:
    made = network(FOLDED["a convolution"][0])
    before = [each.copy() for each in made.get_weights()]
    folding.fold(made)
    assert all(np.array_equal(a, b) for a, b in zip(made.get_weights(), before, strict=True))
