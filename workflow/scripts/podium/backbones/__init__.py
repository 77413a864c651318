"""Pretrained networks by name; each other file of this folder builds one family of them."""

import importlib
from collections.abc import Collection
from pathlib import Path
from typing import TYPE_CHECKING

from podium.step import BadInput

if TYPE_CHECKING:
    import keras

# The networks of keras.applications.
KERAS: tuple[str, ...] = ("vgg16", "vgg19", "inception_v3", "inception_resnet_v2", "xception")
KERAS += ("resnet50", "resnet101", "resnet152", "resnet50_v2", "resnet101_v2", "resnet152_v2")
KERAS += ("mobilenet", "mobilenet_v2", "mobilenet_v3_small", "mobilenet_v3_large", "nasnet_mobile", "nasnet_large")
KERAS += ("densenet121", "densenet169", "densenet201", *(f"efficientnet_b{number}" for number in range(8)))
KERAS += tuple(f"efficientnet_v2_{size}" for size in ("b0", "b1", "b2", "b3", "s", "m", "l"))
KERAS += tuple(f"convnext_{size}" for size in ("tiny", "small", "base", "large", "xlarge"))
# The file of this folder that builds each backbone; usable without TensorFlow.
FAMILIES = {
    **{f"efficientnet_lite{number}": "efficientnet_lite" for number in range(3)},
    **dict.fromkeys(KERAS, "keras_applications"),
    "saved_model": "saved_model",
}
WITHOUT_A_FILE = ("imagenet", "none")
FILES = (".h5", ".keras")
HUB = "kaggle:"  # the prefix of a handle of Kaggle Models, formerly TensorFlow Hub


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
    family = importlib.import_module(f"podium.backbones.{FAMILIES[name]}")
    network = family.build(name, weights, policy=policy, sides=sides, top=top)
    network.trainable = False
    return network


def refusal(name: str, weights: str) -> str:
    """The reason, in one line, why a backbone cannot have these weights; empty if it can. Needs no TensorFlow."""
    path, family = Path(weights), FAMILIES[name]
    if family == "efficientnet_lite":
        return "" if weights == "imagenet" else f"{name} has imagenet weights only"
    if family == "saved_model":
        if weights in WITHOUT_A_FILE:
            return f"{name} needs a folder, or a handle that begins with {HUB}"
        return "" if weights.startswith(HUB) or path.is_dir() else f"no folder at {weights}"
    if weights in WITHOUT_A_FILE:
        return ""
    if path.suffix not in FILES:
        return f"{weights} is neither {' nor '.join(WITHOUT_A_FILE)} nor a {' or '.join(FILES)} file"
    return "" if path.is_file() else f"no file at {weights}"


def pixels(sides: Collection[int]) -> "keras.KerasTensor":
    """The input of a network, of fixed size if all photos have one: some networks pad odd sides differently."""
    import keras

    side = next(iter(sides)) if len(set(sides)) == 1 else None
    return keras.Input((side, side, 3), name="pixels")
