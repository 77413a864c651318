"""Reads model files: by `load` alone, since a file may come from anywhere, and reading it runs what it says."""

import importlib
import json
import re
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from podium.backbones import refusal
from podium.step import BadInput, log

if TYPE_CHECKING:
    import keras

MEMBERS = {"metadata.json", "config.json", "model.weights.h5"}  # of a `.keras` file


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


def check_photos_suffice(model: Path) -> None:
    """Raises BadInput if the saved model takes numbers beside a photo, which none but its competition's photos have."""
    if features := saved_metadata(model).get("features"):
        said = ", ".join(features[:3]) + ", …" * (len(features) > 3)
        raise BadInput(
            f"{model}: needs {len(features)} features beside each photo ({said}), which photos alone do not have"
        )


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

    `task`, for `tasks.task`; `classes`, the labels that it predicts; `features` beside a photo; `decoding`, as
    `images.decode(data, **decoding)` takes it for new photos: `size`, `fit` and `range`; of `calibrated` also the
    `temperature` and what else it said.
    """
    _check_members(path)
    try:
        with zipfile.ZipFile(path) as archive:
            found: dict[str, Any] = json.loads(archive.read("metadata.json"))
    except (KeyError, ValueError):
        found = {}
    if not {"task", "classes", "decoding"} <= found.keys():
        raise BadInput(f"{path}: not a model that names its classes and says how its photos are decoded")
    return found
