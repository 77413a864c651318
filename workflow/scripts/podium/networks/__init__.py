"""What can be trained; the listing of this folder is the menu.

Each file has `fit`, which trains on rows of the training photos and returns a model that takes uint8
pixels of any size and gives probabilities, with a table of how the fit went; and `predict`, which gives
a saved model's probabilities for the same kind of files that it was trained on.

Models are read by `load` alone: a file may come from anywhere, and reading it runs what it says.
"""

import importlib
import io
import json
import re
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from podium.archive import write_zip
from podium.backbones import refusal
from podium.images import GREY
from podium.step import BadInput, log

if TYPE_CHECKING:
    import keras

MEMBERS = {"metadata.json", "config.json", "model.weights.h5"}  # of a `.keras` file


def for_any_size(network: "keras.Model", size: int, fit: str) -> "keras.Model":
    """The network behind what `preprocess` does to make a square of a photo: uint8 [n, h, w, 3] -> its output."""
    import keras

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
    return keras.Model(inputs, network(resize(inputs, training=False)))


def save(model: "keras.Model", classes: list[str], path: Path, **decoding: Any) -> None:
    """Writes a `.keras` file whose bytes depend on the model alone.

    Its `metadata.json` names the classes and keeps `decoding`, what `images.decode` took besides the photos' bytes.
    Keras itself writes the time, and the addresses of shared objects in memory.
    """
    model.save(path)
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    metadata = json.loads(members["metadata.json"])
    members["metadata.json"] = json.dumps(
        {**metadata, "date_saved": "1980-01-01@00:00:00", "classes": classes, "decoding": decoding}
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


def load(path: Path, saved_model: str | None = None) -> "keras.Model":
    """The model in a `.keras` file; raises BadInput where Keras does not read it or its safe mode refuses it.

    `saved_model` names the folder or handle of the SavedModel that it is built on, None for none: the folder that the
    file names is never opened, since its graph could do anything.
    """
    _check_members(path)
    if saved_model and (wrong := refusal("saved_model", saved_model)):
        raise BadInput(f"{saved_model}: {wrong}")
    import keras

    from podium import device

    device.gpus()  # limits the memory that TensorFlow takes
    # By name, so that its code is in the fingerprints of those steps alone that read a SavedModel.
    layer = importlib.import_module("podium.backbones.saved_model")
    try:
        with layer.named(saved_model):
            model = keras.models.load_model(path, compile=False)
    except (OSError, TypeError, ValueError) as error:
        raise BadInput(f"{path}: {_unread(path, str(error), saved_model)}") from None
    log.info("computes on %s", device.described())
    return model


def _unread(path: Path, said: str, saved_model: str | None) -> str:
    """Why a model was not read, in one line."""
    with zipfile.ZipFile(path) as archive:
        folders = re.findall(rb'"filepath": "(.*?)"', archive.read("config.json"))
    if folders and not saved_model:
        folder = folders[0].decode(errors="replace")
        return f"it runs the SavedModel in {folder}: if you know and trust that, name it: --saved-model {folder}"
    return f"not a model that can be read safely: {' '.join(said.split()).partition('. ')[0]}"


def _check_members(path: Path) -> None:
    """Raises BadInput unless the file is what Keras writes for our networks: nothing packed, so nothing swells."""
    try:
        with zipfile.ZipFile(path) as archive:
            members = archive.infolist()
    except zipfile.BadZipFile:
        raise BadInput(f"{path}: not a model in a .keras file") from None
    if sorted(each.filename for each in members) != sorted(MEMBERS):
        raise BadInput(f"{path}: a model's file contains {', '.join(sorted(MEMBERS))} and nothing else")
    if sum(each.file_size for each in members) > path.stat().st_size:
        raise BadInput(f"{path}: its members are compressed, which Keras does not do: write it again with Keras")


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
    """What `save` and `calibrated` wrote into a model, read without TensorFlow; raises BadInput where that is missing.

    `classes`; `decoding`, as `images.decode(data, **decoding)` takes it for new photos: `size`, `fit` and `range`; of
    `calibrated` also the `temperature` and what else it said.
    """
    _check_members(path)
    try:
        with zipfile.ZipFile(path) as archive:
            found: dict[str, Any] = json.loads(archive.read("metadata.json"))
    except (KeyError, ValueError):
        found = {}
    if not {"classes", "decoding"} <= found.keys():
        raise BadInput(f"{path}: not a model that names its classes and says how its photos are decoded")
    return found
