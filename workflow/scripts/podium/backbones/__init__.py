"""Pretrained networks by name; the listing of this folder is the menu of families."""

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import keras

# Which file of this folder builds each backbone; read without TensorFlow.
FAMILIES = {
    **{f"efficientnet_lite{number}": "efficientnet_lite" for number in range(3)},
    "inception_v3": "inception_v3",
    "inception_v3_random": "inception_v3",
}


def build(name: str, *, policy: str) -> "keras.Model":
    """The frozen network: pixels [n, h, w, 3] in 0..255 -> embeddings float32 [n, features].

    `policy` is the Keras dtype policy that it computes in; its weights are float32.
    """
    network = importlib.import_module(f"podium.backbones.{FAMILIES[name]}").build(name, policy=policy)
    network.trainable = False
    return network
