"""Pretrained networks by name; the listing of this folder is the menu of families."""

import importlib
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import keras

# Which file of this folder builds each backbone; read without TensorFlow.
FAMILIES = {f"efficientnet_lite{number}": "efficientnet_lite" for number in range(3)}


def build(name: str, *, precision: str = "float32") -> "keras.Model":
    """The frozen network: pixels [n, h, w, 3] in 0..255 -> embeddings float32 [n, features].

    `precision` is the type it computes in: `float32`, `bfloat16`, or `auto`, which is bfloat16 on
    processors that have instructions for it (three times as fast there, and slower elsewhere).
    """
    if precision == "auto":
        precision = "bfloat16" if _computes_bfloat16() else "float32"
    network = importlib.import_module(f"podium.backbones.{FAMILIES[name]}").build(name, precision=precision)
    network.trainable = False
    return network


def _computes_bfloat16() -> bool:
    info = Path("/proc/cpuinfo")
    return info.is_file() and bool({"avx512_bf16", "amx_bf16"} & set(info.read_text().split()))
