"""Pretrained networks by name: `families` is the menu, and a file for each family builds its networks. `folding` makes
them faster. TensorFlow is imported only where one is built.
"""

import importlib
from collections.abc import Collection
from typing import TYPE_CHECKING

from podium.backbones.families import BACKBONES, FAMILIES
from podium.step import BadInput

if TYPE_CHECKING:
    import keras


def build(
    name: str, weights: str = "imagenet", *, policy: str, sides: Collection[int] = (), top: bool = False
) -> "keras.Model":
    """The frozen network: pixels [n, h, w, 3] in 0..255 -> embeddings float32 [n, features].

    `weights` are `imagenet`, `none` (random, the same each time), a file of this architecture's weights, or a folder
    or a handle for `saved_model`. `policy` is the Keras dtype policy that it computes in; its weights are float32.
    `sides` are all side lengths that the photos may have, if known: if one is less than the network's minimum, the
    network resizes the photos to its own size. With `top` the ImageNet classifier follows, for photos of that size:
    logits [n, 1000]. Raises BadInput if the weights are missing or belong to another network.
    """
    if wrong := refusal(name, weights):
        raise BadInput(wrong)
    family = importlib.import_module(f"podium.backbones.{BACKBONES[name]}")
    network = family.build(name, weights, policy=policy, sides=sides, top=top)
    network.trainable = False
    return network


def refusal(name: str, weights: str) -> str:
    """The reason, in one line, why a backbone cannot have these weights; empty if it can. Needs no TensorFlow."""
    return FAMILIES[BACKBONES[name]].refusal(name, weights)


def pixels(sides: Collection[int]) -> "keras.KerasTensor":
    """The input of a network, of fixed size if all photos have one: some networks pad odd sides differently."""
    import keras

    side = next(iter(sides)) if len(set(sides)) == 1 else None
    return keras.Input((side, side, 3), name="pixels")
