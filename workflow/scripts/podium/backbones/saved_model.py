"""A SavedModel: what TensorFlow Hub, now Kaggle Models, serves, and what Keras and TensorFlow export.

Source: https://www.tensorflow.org/hub/common_signatures/images, whose networks take colours in 0..1. Those that take
whole numbers get 0..255. The network itself stays in its folder, which a model built on it needs to be read again. Its
graph can do whatever TensorFlow can, write files too: a model is read with the folder that its user names, no other.
"""

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import Any

import keras

from podium.backbones import HUB, pixels
from podium.step import BadInput

SIGNATURE = "serving_default"
_named: ContextVar[str | None] = ContextVar("named", default=None)


@contextmanager
def named(weights: str | None) -> Iterator[None]:
    """Models that are read within are built on this folder or handle; where it is None, on no SavedModel at all."""
    token = _named.set(weights)
    try:
        yield
    finally:
        _named.reset(token)


@keras.saving.register_keras_serializable("podium")
class SavedModel(keras.layers.TFSMLayer):
    """Keras's layer; its one output is a tensor. `named` says what it is read from."""

    def __init__(self, filepath: str, **options: Any) -> None:
        super().__init__(filepath, call_endpoint=SIGNATURE, **options)

    def call(self, inputs: Any, training: bool = False) -> Any:
        (answer,) = super().call(inputs, training=training).values()
        return answer

    def get_config(self) -> dict[str, Any]:
        config: dict[str, Any] = super().get_config()
        return {key: value for key, value in config.items() if not key.startswith("call_")}

    @classmethod
    def from_config(cls, config: dict[str, Any], **options: Any) -> "SavedModel":
        """Of what the user named, wherever the file says that it was; else Keras's safe mode decides, and refuses."""
        if weights := _named.get():
            return cls(**{**config, "filepath": str(_folder(weights))})
        return super().from_config(config, **options)


def build(name: str, weights: str, *, policy: str, sides: Collection[int], top: bool) -> keras.Model:  # noqa: ARG001
    """Pixels float or uint8 [n, h, w, 3] in 0..255 -> what the SavedModel answers, float32 [n, features].

    A map of features is averaged. It computes in what it was saved in, and whether it ends in features or in
    ImageNet's classes is its own affair. Raises BadInput where there is no network of photos in it.
    """
    folder = _folder(weights)
    try:
        layer = SavedModel(str(folder), dtype="float32", name="saved_model")
        (photos,) = layer.call_endpoint_fn.structured_input_signature[1].values()
        (answer,) = layer.call_endpoint_fn.structured_outputs.values()
        _, height, width, _ = photos.shape
    except (OSError, KeyError, ValueError, AttributeError) as error:
        wanted = f"no SavedModel whose {SIGNATURE} takes photos alone and gives one answer"
        raise BadInput(f"{folder}: {wanted}: {' '.join(str(error).split())}") from None
    x = inputs = pixels([height] if top and height else sides)
    if height and width:
        x = keras.layers.Resizing(height, width, name="resize")(x)
    if photos.dtype.is_floating:
        x = keras.layers.Rescaling(1 / 255, name="normalise")(x)
    else:
        x = keras.ops.cast(keras.ops.round(x), photos.dtype.name)
    x = layer(x)
    if len(answer.shape) == 4:
        x = keras.layers.GlobalAveragePooling2D(name="embedding")(x)
    return keras.Model(inputs, x, name=name)


def _folder(weights: str) -> Path:
    """The folder itself, or where the hub's client keeps what the handle names."""
    if not weights.startswith(HUB):
        return Path(weights)
    try:
        import kagglehub

        return Path(kagglehub.model_download(weights.removeprefix(HUB)))
    except ImportError:
        raise BadInput(f"{weights}: a handle needs the package kagglehub: python -m pip install kagglehub") from None
    except Exception as error:  # whatever the network, the token or the handle is to blame for
        raise BadInput(f"{weights}: cannot be had from Kaggle: {' '.join(str(error).split())}") from None
