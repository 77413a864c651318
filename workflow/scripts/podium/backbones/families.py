"""The families of backbones: what each consists of, and which weights it takes. No TensorFlow."""

from collections.abc import Callable, Collection
from pathlib import Path
from typing import NamedTuple

WITHOUT_A_FILE = ("imagenet", "none")
FILES = (".h5", ".keras")
HUB = "kaggle:"  # the prefix of a handle of Kaggle Models, formerly TensorFlow Hub


class Variant(NamedTuple):
    """How an EfficientNet-Lite scales the base network; `size` is its training side in pixels."""

    width: float
    depth: float
    size: int


LITE = {
    "efficientnet_lite0": Variant(1.0, 1.0, 224),
    "efficientnet_lite1": Variant(1.0, 1.1, 240),
    "efficientnet_lite2": Variant(1.1, 1.2, 260),
}


class Application(NamedTuple):
    """A function of keras.applications, its scaling of pixels, its training side and the least side it accepts."""

    function: str
    scaling: str | None  # None if the network scales by itself
    size: int
    least: int | None = 32  # None if the network accepts its own size only


KERAS = {
    "vgg16": Application("VGG16", "caffe", 224),
    "vgg19": Application("VGG19", "caffe", 224),
    "inception_v3": Application("InceptionV3", "tf", 299, 75),
    "inception_resnet_v2": Application("InceptionResNetV2", "tf", 299, 75),
    "xception": Application("Xception", "tf", 299, 71),
    **{f"resnet{depth}": Application(f"ResNet{depth}", "caffe", 224) for depth in (50, 101, 152)},
    **{f"resnet{depth}_v2": Application(f"ResNet{depth}V2", "tf", 224) for depth in (50, 101, 152)},
    "mobilenet": Application("MobileNet", "tf", 224),
    "mobilenet_v2": Application("MobileNetV2", "tf", 224),
    "mobilenet_v3_small": Application("MobileNetV3Small", None, 224),
    "mobilenet_v3_large": Application("MobileNetV3Large", None, 224),
    "nasnet_mobile": Application("NASNetMobile", "tf", 224, None),
    "nasnet_large": Application("NASNetLarge", "tf", 331, None),
    **{f"densenet{depth}": Application(f"DenseNet{depth}", "torch", 224) for depth in (121, 169, 201)},
    **{
        f"efficientnet_b{number}": Application(f"EfficientNetB{number}", None, size)
        for number, size in enumerate((224, 240, 260, 300, 380, 456, 528, 600))
    },
    **{
        f"efficientnet_v2_{kind}": Application(f"EfficientNetV2{kind.upper()}", None, size)
        for kind, size in [("b0", 224), ("b1", 240), ("b2", 260), ("b3", 300), ("s", 384), ("m", 480), ("l", 480)]
    },
    **{
        f"convnext_{kind}": Application(f"ConvNeXt{function}", None, 224)
        for kind, function in [
            ("tiny", "Tiny"),
            ("small", "Small"),
            ("base", "Base"),
            ("large", "Large"),
            ("xlarge", "XLarge"),
        ]
    },
}


class Family(NamedTuple):
    """The backbones that one file of this folder builds.

    `refusal` takes a backbone and weights, and returns the reason, in one line, why it cannot have them; empty if it
    can. Weights `in_place` are never copied into a model: to load one, the user names them again.
    """

    backbones: Collection[str]
    refusal: Callable[[str, str], str]
    in_place: bool = False


def _unless_imagenet(name: str, weights: str) -> str:
    return "" if weights == "imagenet" else f"{name} has imagenet weights only"


def _unless_a_file(_: str, weights: str) -> str:
    if weights in WITHOUT_A_FILE:
        return ""
    if Path(weights).suffix not in FILES:
        return f"{weights} is neither {' nor '.join(WITHOUT_A_FILE)} nor a {' or '.join(FILES)} file"
    return "" if Path(weights).is_file() else f"no file at {weights}"


def _unless_a_folder(name: str, weights: str) -> str:
    if weights in WITHOUT_A_FILE:
        return f"{name} needs a folder, or a handle that begins with {HUB}"
    return "" if weights.startswith(HUB) or Path(weights).is_dir() else f"no folder at {weights}"


# By the names of their files.
FAMILIES = {
    "efficientnet_lite": Family(LITE, _unless_imagenet),
    "keras_applications": Family(KERAS, _unless_a_file),
    "saved_model": Family(["saved_model"], _unless_a_folder, in_place=True),
}
# The family of each backbone.
BACKBONES = {name: family for family, each in FAMILIES.items() for name in each.backbones}
