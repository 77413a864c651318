"""A SavedModel: the format of Kaggle Models (formerly TensorFlow Hub), and of exports from Keras and TensorFlow.

Source: https://www.tensorflow.org/hub/common_signatures/images, whose networks take colours in 0..1; networks that take
whole numbers get 0..255. The network itself stays in its folder, and a model built on it needs that folder to be
loaded. Its graph can do anything that TensorFlow can, including writing files: so a model is loaded only with the
folder that the user names. Needs TensorFlow.
"""

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import Any

import keras

from podium.backbones import pixels
from podium.backbones.families import HUB
from podium.step import BadInput

SIGNATURE = "serving_default"
_named: ContextVar[str | None] = ContextVar("named", default=None)


@contextmanager
def named(weights: str | None) -> Iterator[None]:
    """Models loaded in this context are built on this folder or handle, or, if it is None, on no SavedModel."""
    token = _named.set(weights)
    try:
        yield
    finally:
        _named.reset(token)


@keras.saving.register_keras_serializable("podium")
class SavedModel(keras.layers.TFSMLayer):
    """Keras's layer, with one tensor as output; on loading, `named` decides which folder it reads."""

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
        """Reads what the user named, not the path in the file; if nothing is named, Keras's safe mode refuses."""
        if weights := _named.get():
            return cls(**{**config, "filepath": str(_folder(weights))})
        return super().from_config(config, **options)


def build(name: str, weights: str, *, policy: str, sides: Collection[int], top: bool) -> keras.Model:  # noqa: ARG001
    """Pixels float or uint8 [n, h, w, 3] in 0..255 -> the output of the SavedModel, float32 [n, features].

    A feature map is averaged. The network computes in the precision that it was saved in; whether its output is
    features or ImageNet's classes depends on the SavedModel. Raises BadInput if it is not a network of photos.
    """
    folder = _folder(weights)
    try:
        layer = SavedModel(str(folder), dtype="float32", name="saved_model")
        (photos,) = layer.call_endpoint_fn.structured_input_signature[1].values()
        (answer,) = layer.call_endpoint_fn.structured_outputs.values()
        _, height, width, _ = photos.shape
    except (OSError, KeyError, ValueError, AttributeError) as error:
        wanted = f"not a SavedModel whose {SIGNATURE} takes only photos and has one output"
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
    """The folder itself, or the folder of the hub's client for a handle; raises BadInput if it cannot be downloaded."""
    if not weights.startswith(HUB):
        return Path(weights)
    try:
        import kagglehub

        return Path(kagglehub.model_download(weights.removeprefix(HUB)))
    except ImportError:
        raise BadInput(f"{weights}: a handle needs the package kagglehub: python -m pip install kagglehub") from None
    except Exception as error:  # any error of the network, the token or the handle
        raise BadInput(f"{weights}: cannot be downloaded from Kaggle: {' '.join(str(error).split())}") from None
