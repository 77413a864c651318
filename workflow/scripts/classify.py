"""Classify new photos with a fit's model, or with all of an experiment's. Run by hand; no rule needs it."""

import argparse
import json
import logging
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from podium import images, pixels
from podium.networks import saved_classes, saved_metadata
from podium.step import BadInput, log
from podium.tables import write_csv
from podium.temperature import scaled

Floats = NDArray[np.float32]


class Photos:
    """Files that can be decoded, as pixels of whatever size a model asks for; `lost` says why the others cannot."""

    def __init__(self, files: list[Path], folder: Path) -> None:
        self.files, self.lost, self._folder = list[Path](), dict[Path, str](), folder
        for file in files:
            try:
                images.examine(file.read_bytes())
                self.files.append(file)
            except (images.Unreadable, OSError) as error:
                self.lost[file] = str(error)

    def stored(self, decoding: dict[str, Any]) -> Path:
        """A file of their pixels as `preprocess` makes it, uint8 [n, size, size, 3], made once for each `decoding`."""
        path, size = self._folder / f"{json.dumps(decoding)}.npy", decoding["size"]
        if not path.exists():
            decoded = (images.decode(file.read_bytes(), **decoding) for file in self.files)
            pixels.write(path, (len(self.files), size, size, 3), decoded)
        return path


def classify(model: Path, photos: list[Path], out: Path, saved_model: str | None = None) -> None:
    """Classify photos, or all photos below folders: a CSV of `file`, `class` and the probability of each class.

    `model` is a fit's `model.keras`, or an experiment's or an ensemble's folder in `results/`: then all fits that its
    submission is made of are averaged, with its views and its calibration, and photos of the competition get what its
    `predictions.csv` says. `saved_model` is the folder or handle of the SavedModel that models are built on, if on any.
    A photo that cannot be read is warned of, and its row has neither class nor probabilities.
    Raises BadInput where there is no photo to read, or no model.
    """
    if not model.exists():
        raise BadInput(f"{model}: no such file or folder")
    if out.is_dir() or not out.parent.is_dir():
        raise BadInput(f"{out}: a file in a folder that is there is needed to write to")
    with tempfile.TemporaryDirectory() as scratch:
        found = Photos(listed := list(dict.fromkeys(_listed(photos))), Path(scratch))
        for file, why in found.lost.items():
            log.warning("WARNING: %s cannot be read: %s", file, why)
        if not found.files:
            raise BadInput(f"{', '.join(map(str, photos))}: no photo that can be read")
        labels, probabilities = (_experiment if model.is_dir() else _model)(model, found, saved_model)
    rows = pd.DataFrame(probabilities, [str(file) for file in found.files], range(len(labels)))
    rows.insert(0, "class", np.array(labels)[probabilities.argmax(1)])
    table = rows.reindex([str(file) for file in listed]).reset_index().set_axis(["file", "class", *labels], axis=1)
    partial = out.with_name(f".partial-{out.name}")
    write_csv(partial, table)
    partial.replace(out)


def _listed(photos: list[Path]) -> Iterator[Path]:
    """The files that are named, and those below the folders that are, sorted, with a photo's suffix."""
    for path in photos:
        if not path.exists():
            raise BadInput(f"{path}: no such file or folder")
        if not path.is_dir():
            yield path
            continue
        files = sorted(each for each in path.rglob("*") if each.is_file() and not each.name.startswith("."))
        yield from (each for each in files if each.suffix.lower() in images.SUFFIXES)
        if others := [each for each in files if each.suffix.lower() not in images.SUFFIXES]:
            said = "%d files below %s are left out, since their suffix is none of a photo; the first is %s"
            log.warning(said, len(others), path, others[0])


def _model(model: Path, photos: Photos, saved_model: str | None) -> tuple[list[str], Floats]:
    """Classes and probabilities [n, classes] of one model's mean over its experiment's views."""
    said = saved_metadata(model)
    views, temperature = said.get("views", ["plain"]), said.get("temperature", 1.0)
    found = _mean(model, photos, views, saved_model, temperature)
    return said["classes"], scaled(found, said.get("views_temperature", 1.0))


def _experiment(folder: Path, photos: Photos, saved_model: str | None) -> tuple[list[str], Floats]:
    """The same of the mean of all fits of an experiment, or of the weighted mean of an ensemble's members."""
    path, weights = folder / "calibration.json", folder / "weights.csv"
    said = json.loads(path.read_text()) if path.is_file() else {}
    if "fits" not in said:
        raise BadInput(f"{folder}: no results of an experiment; ask Snakemake for its submission first")
    if weights.is_file():
        table = pd.read_csv(weights, dtype={"experiment": str}, keep_default_na=False)
        parts = [_experiment(folder.parent / name, photos, saved_model) for name in table.experiment]
        labels, found = parts[0][0], np.einsum("m,mnc->nc", table.weight, [each for _, each in parts])
    else:
        models = [folder / fit / "fitted.keras" for fit in said["fits"]]
        labels = saved_classes(models[0])
        found = np.mean([_mean(model, photos, said["views"], saved_model) for model in models], axis=0)
    return labels, scaled(found.astype(np.float32), said["test_temperature"])


def _mean(model: Path, photos: Photos, views: list[str], saved_model: str | None, temperature: float = 1.0) -> Floats:
    """What a model of this temperature gives at temperature 1, averaged over the views."""
    with _silenced():
        from podium import device, training

        device.gpus()
    logging.getLogger("tensorflow").setLevel(logging.ERROR)  # it warns of a graph for each model
    network = training.load(model, saved_model)
    stored = pixels.Pixels([photos.stored(saved_metadata(model)["decoding"])])
    rows = np.arange(len(stored))
    each = [scaled(training.average(network, stored, rows, [view]), 1 / temperature) for view in views]
    return np.mean(each, axis=0)


@contextmanager
def _silenced() -> Iterator[None]:
    """What TensorFlow says as it starts goes nowhere; its environment variable does not stop all of it."""
    terminal, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 2)
    try:
        yield
    finally:
        os.dup2(terminal, 2)
        os.close(terminal)
        os.close(nowhere)


def main() -> None:
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model", type=Path, help="a fit's model.keras, or an experiment's folder in results/")
    parser.add_argument("photos", type=Path, nargs="+", help="photos, or folders of them")
    parser.add_argument(
        "--out", type=Path, default=Path("predictions.csv"), help="the table; predictions.csv if left out"
    )
    parser.add_argument("--saved-model", metavar="FOLDER", help="the SavedModel that the model is built on, if on one")
    arguments = parser.parse_args()
    try:
        classify(**vars(arguments))
    except BadInput as error:
        parser.exit(1, f"classify: {error}\n")
    print(f"wrote {arguments.out}")


if __name__ == "__main__":
    main()
