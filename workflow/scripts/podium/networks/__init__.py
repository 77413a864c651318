"""What can be trained; the listing of this folder is the menu.

Each file has `fit`, which trains on rows of the training photos and returns a model that takes uint8
pixels of any size and gives probabilities, with a table of how the fit went; and `predict`, which gives
a saved model's probabilities for the same kind of files that it was trained on.
"""

import json
import re
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from podium.archive import write_zip
from podium.images import GREY
from podium.step import BadInput

if TYPE_CHECKING:
    import keras


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


def check_classes(model: Path, labels: list[str], index: Path) -> None:
    """Raises BadInput unless the saved model's classes are these, those of the index, in their order."""
    if (fitted := saved_classes(model)) != labels:
        alone = sorted({*fitted} ^ {*labels})
        differ = f"only one of them has {alone[0]!r}" if alone else "they stand in another order"
        raise BadInput(f"{model}: its classes are not those of {index}: {differ}")


def saved_classes(path: Path) -> list[str]:
    """The classes that `save` wrote into a model, read without TensorFlow; raises BadInput where there are none."""
    return _saved(path, "classes", "names its classes")


def saved_decoding(path: Path) -> dict[str, Any]:
    """How new photos are decoded for a saved model, as `images.decode(data, **decoding)` takes it: `size`, `fit` and
    `range`. Read without TensorFlow; raises BadInput where the model does not say it.
    """
    return _saved(path, "decoding", "says how its photos are decoded")


def _saved(path: Path, key: str, what: str) -> Any:
    try:
        with zipfile.ZipFile(path) as archive:
            return json.loads(archive.read("metadata.json"))[key]
    except (zipfile.BadZipFile, KeyError, ValueError):
        raise BadInput(f"{path}: not a model that {what}") from None
