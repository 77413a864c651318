"""What can be trained; the listing of this folder is the menu.

Each file has `fit`, which trains on rows of the training photos and returns a model that takes uint8
pixels of any size and gives probabilities, with a table of how the fit went; and `predict`, which gives
a saved model's probabilities for the same kind of files that it was trained on.
"""

import io
import json
import re
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from podium.archive import write_zip
from podium.step import BadInput

if TYPE_CHECKING:
    import keras


def for_any_size(network: "keras.Model", size: int) -> "keras.Model":
    """The network behind the same square cut and bicubic resize as `preprocess`: uint8 [n, h, w, 3] -> its output."""
    import keras

    inputs = keras.Input((None, None, 3), dtype="uint8", name="photo")
    resize = keras.layers.Resizing(
        size, size, interpolation="bicubic", antialias=True, crop_to_aspect_ratio=True, name="resize"
    )
    # Resizing's call has `training=True` as its default, which would spread to batch norm and dropout.
    return keras.Model(inputs, network(resize(inputs, training=False)))


def save(model: "keras.Model", classes: list[str], path: Path) -> None:
    """Writes a `.keras` file whose bytes depend on the model alone; its `metadata.json` names the classes.

    Keras itself writes the time, and the addresses of shared objects in memory.
    """
    model.save(path)
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    metadata = json.loads(members["metadata.json"])
    members["metadata.json"] = json.dumps(
        {**metadata, "date_saved": "1980-01-01@00:00:00", "classes": classes}
    ).encode()
    numbers: dict[bytes, int] = {}

    def numbered(found: re.Match[bytes]) -> bytes:
        return b'"shared_object_id": %d' % numbers.setdefault(found[1], len(numbers))

    members["config.json"] = re.sub(rb'"shared_object_id": (\d+)', numbered, members["config.json"])
    write_zip(path, members.items())


def calibrated(fitted: Path, path: Path, temperature: float, **said: Any) -> None:
    """Writes a saved model whose logits are divided by the temperature; `metadata.json` says it, and `said`.

    All networks end in a `Dense` layer of logits with a softmax in it or behind it, so its kernel and bias are
    divided, and nothing else changes.
    """
    import h5py

    with zipfile.ZipFile(fitted) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    layers = json.loads(members["config.json"])["config"]["layers"][-1]["config"]["layers"]
    logits = next(layer["config"]["name"] for layer in reversed(layers) if layer["class_name"] == "Dense")

    def divide(_: str, node: Any) -> None:
        if node.attrs.get("name") == logits:
            for values in node.values():
                values[...] = values[()] / values.dtype.type(temperature)

    with h5py.File(content := io.BytesIO(members["model.weights.h5"]), "r+") as file:
        file.visititems(divide)
    members["model.weights.h5"] = content.getvalue()
    metadata = {**json.loads(members["metadata.json"]), "temperature": temperature, **said}
    members["metadata.json"] = json.dumps(metadata).encode()
    write_zip(path, members.items())


def check_classes(model: Path, labels: list[str], index: Path) -> None:
    """Raises BadInput unless the saved model's classes are these, those of the index, in their order."""
    if (fitted := saved_classes(model)) != labels:
        alone = sorted({*fitted} ^ {*labels})
        differ = f"only one of them has {alone[0]!r}" if alone else "they stand in another order"
        raise BadInput(f"{model}: its classes are not those of {index}: {differ}")


def saved_classes(path: Path) -> list[str]:
    """The classes that `save` wrote into a model, read without TensorFlow; raises BadInput where there are none."""
    return saved_metadata(path)["classes"]


def saved_metadata(path: Path) -> dict[str, Any]:
    """What `save` and `calibrated` wrote into a model, read without TensorFlow; raises BadInput without classes."""
    try:
        with zipfile.ZipFile(path) as archive:
            found: dict[str, Any] = json.loads(archive.read("metadata.json"))
    except (zipfile.BadZipFile, KeyError, ValueError):
        found = {}
    if "classes" not in found:
        raise BadInput(f"{path}: not a model that names its classes")
    return found


def saved_size(path: Path) -> int:
    """The side in pixels that a saved model resizes photos to, as `preprocess` did."""
    with zipfile.ZipFile(path) as archive:
        layers = json.loads(archive.read("config.json"))["config"]["layers"]
    return next(layer["config"]["height"] for layer in layers if layer["config"]["name"] == "resize")
