"""Writes model files. TensorFlow is imported only where a model is built."""

import io
import json
import re
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from podium.archives.opening import write_zip
from podium.photos.images import GREY
from podium.tasks import Task

if TYPE_CHECKING:
    import keras


def for_any_size(network: "keras.Model", size: int, fit: str) -> "keras.Model":
    """The network behind what `preprocess` does to make a square of a photo: uint8 [n, h, w, 3] -> its output. With the
    fit `keep`, photos must be of this size.

    One that takes features beside the photo still does, float32 [n, features].
    """
    import keras

    if fit == "keep":  # which no layer of Keras does
        inputs = keras.Input((size, size, 3), dtype="uint8", name="photo")
        return keras.Model(inputs, network(keras.layers.Rescaling(1.0, name="resize")(inputs)))
    inputs = keras.Input((None, None, 3), dtype="uint8", name="photo")
    resize = keras.layers.Resizing(
        size,
        size,
        interpolation="bicubic",
        antialias=True,
        crop_to_aspect_ratio=fit == "crop",
        pad_to_aspect_ratio=fit == "pad",
        fill_value=GREY[0],
        name="resize",
    )
    # Resizing's call has `training=True` as its default, which would spread to batch norm and dropout.
    small = resize(inputs, training=False)
    if len(network.inputs) == 1:
        return keras.Model(inputs, network(small))
    features = keras.Input(network.inputs[1].shape[1:], name="features")
    return keras.Model([inputs, features], network([small, features]))


def save(model: "keras.Model", task: Task, labels: list[str], features: list[str], path: Path, **decoding: Any) -> None:
    """Writes a `.keras` file whose bytes depend on the model alone.

    Its `metadata.json` names the task, the classes, which are the labels that it predicts, and the `features` that it
    takes beside a photo, and keeps `decoding`, what `images.decode` took besides the photos' bytes. Keras itself writes
    the time, and the addresses of shared objects in memory.
    """
    model.save(path)
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    said = {"task": task.spec, "classes": labels, "features": features, "decoding": decoding}
    metadata = {**json.loads(members["metadata.json"]), "date_saved": "1980-01-01@00:00:00", **said}
    members["metadata.json"] = json.dumps(metadata).encode()
    numbers: dict[bytes, int] = {}

    def numbered(found: re.Match[bytes]) -> bytes:
        return b'"shared_object_id": %d' % numbers.setdefault(found[1], len(numbers))

    members["config.json"] = re.sub(rb'"shared_object_id": (\d+)', numbered, members["config.json"])
    write_zip(path, members.items())


def calibrated(fitted: Path, path: Path, temperature: float, **said: Any) -> None:
    """Writes a saved model whose logits are divided by the temperature; `metadata.json` says it, and `said`.

    All networks end in a `Dense` layer of logits with the task's activation in it or behind it, so its kernel and bias
    are divided, and nothing else changes.
    """
    with zipfile.ZipFile(fitted) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    if temperature != 1:
        _divide(members, temperature)
    metadata = {**json.loads(members["metadata.json"]), "temperature": temperature, **said}
    members["metadata.json"] = json.dumps(metadata).encode()
    write_zip(path, members.items())


def _divide(members: dict[str, bytes], temperature: float) -> None:
    """Divides the logits of a model's members by the temperature."""
    import h5py

    layers = json.loads(members["config.json"])["config"]["layers"][-1]["config"]["layers"]
    logits = next(layer["config"]["name"] for layer in reversed(layers) if layer["class_name"] == "Dense")

    def divide(_: str, node: Any) -> None:
        if node.attrs.get("name") == logits:
            for values in node.values():
                values[...] = values[()] / values.dtype.type(temperature)

    with h5py.File(content := io.BytesIO(members["model.weights.h5"]), "r+") as file:
        file.visititems(divide)
    members["model.weights.h5"] = content.getvalue()
