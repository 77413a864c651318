"""Classify new photos with one fit's model or with all models of an experiment. Run by hand; no rule uses it."""

import argparse
import json
import logging
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from podium import tasks
from podium.archives.opening import write_zip
from podium.models.reading import check_photos_suffice, saved_metadata
from podium.photos import images, pixels
from podium.step import BadInput, log, without_chatter
from podium.tables import write_csv
from podium.tasks.cells import Form
from podium.tasks.dense import DenseTask

Floats = NDArray[np.float32]


class Answered(NamedTuple):
    """Calibrated predictions float32 [n, outputs], and how answers are made of them."""

    task: tasks.Task
    labels: list[str]
    decision: tasks.Decision
    predictions: Floats


class Photos:
    """Files that can be decoded, as pixels of the size that a model needs; `lost` gives the reasons of the others."""

    def __init__(self, files: list[Path], folder: Path) -> None:
        self.files, self.lost, self._folder = list[Path](), dict[Path, str](), folder
        for file in files:
            try:
                images.examine(file.read_bytes())
                self.files.append(file)
            except (images.Unreadable, OSError) as error:
                self.lost[file] = str(error)

    def stored(self, decoding: dict[str, Any]) -> Path:
        """A file of their pixels as `preprocess` writes it, uint8 [n, size, size, 3], written once per `decoding`."""
        path, size = self._folder / f"{json.dumps(decoding)}.npy", decoding["size"]
        if not path.exists():
            decoded = (images.decode(file.read_bytes(), **decoding) for file in self.files)
            pixels.write(path, (len(self.files), size, size, 3), decoded)
        return path


def classify(model: Path, photos: list[Path], out: Path, saved_model: str | None = None) -> None:
    """Classify photos, or all photos below folders: a CSV of `file`, `class` and the probability of each class.

    Where each pixel is answered, `out` is a zip with a mask for each photo instead.

    `model` is a fit's `model.keras`, or the folder of an experiment or an ensemble in `results/`. For a folder, all
    fits that its submission is made of are averaged, with its views and its calibration; photos of the competition get
    the same probabilities as in its `predictions.csv`. `saved_model` is the folder or handle of the SavedModel that the
    models are built on, or None. For a photo that cannot be read a warning is logged, and its row has neither class nor
    probabilities. Raises BadInput if no photo can be read, or if there is no model.
    """
    if not model.exists():
        raise BadInput(f"{model}: no such file or folder")
    if out.is_dir() or not out.parent.is_dir():
        raise BadInput(f"{out}: cannot be written; name a file in an existing folder")
    with tempfile.TemporaryDirectory() as scratch:
        found = Photos(listed := list(dict.fromkeys(_listed(photos))), Path(scratch))
        for file, why in found.lost.items():
            log.warning("WARNING: %s cannot be read: %s", file, why)
        if not found.files:
            raise BadInput(f"{', '.join(map(str, photos))}: no photo that can be read")
        said = (_experiment if model.is_dir() else _model)(model, found, saved_model)
    if isinstance(said.task, DenseTask):
        _write_files(said.task, said, found.files, out)
        return
    rows = _rows(said).set_axis([str(file) for file in found.files])
    table = rows.reindex([str(file) for file in listed])
    table.insert(0, "file", table.index, allow_duplicates=True)
    partial = out.with_name(f".partial-{out.name}")
    write_csv(partial, table)
    partial.replace(out)


def _write_files(task: DenseTask, said: Answered, files: list[Path], out: Path) -> None:
    """Writes a zip of a mask for each photo, at its size; raises BadInput if it is not named so, and for two photos of
    one name."""
    if out.suffix != ".zip":
        raise BadInput(f"{out}: a mask for each photo is written into a zip: name it so")
    named: dict[str, Path] = {}
    for file in files:
        if (other := named.setdefault(file.stem, file)) != file:
            raise BadInput(f"{other} and {file}: their masks would have one name")
    sizes = [images.examine(file.read_bytes()) for file in files]
    found = (
        (f"{file.stem}.png", task.file(each, said.decision, size.width, size.height))
        for file, each, size in zip(files, said.predictions, sizes, strict=True)
    )
    write_zip(partial := out.with_name(f".partial-{out.name}"), found)
    partial.replace(out)


def _rows(said: Answered) -> pd.DataFrame:
    """The answer to each photo, as `class`, and what the models predict of it; where these are numbers, the numbers."""
    numbers = said.task.columns("labels", said.labels)
    form = Form("labels", 1, said.task.separator)
    answers = said.task.cells(said.predictions, said.decision, said.labels, numbers or ["class"], form)
    told = pd.DataFrame(answers, columns=numbers or ["class"])
    if numbers:
        return told
    outputs = said.task.output_names(said.labels)
    return pd.concat([told, pd.DataFrame(said.predictions, columns=outputs)], axis=1)


def _listed(photos: list[Path]) -> Iterator[Path]:
    """The named files, and, sorted, the files with a photo's suffix below the named folders."""
    for path in photos:
        if not path.exists():
            raise BadInput(f"{path}: no such file or folder")
        if not path.is_dir():
            yield path
            continue
        files = sorted(each for each in path.rglob("*") if each.is_file() and not each.name.startswith("."))
        yield from (each for each in files if each.suffix.lower() in images.SUFFIXES)
        if others := [each for each in files if each.suffix.lower() not in images.SUFFIXES]:
            said = "files below %s that are not named like photos are left out: %s%s"
            log.warning(said, path, others[0].relative_to(path), f" and {len(others) - 1} more" if others[1:] else "")


def _model(model: Path, photos: Photos, saved_model: str | None) -> Answered:
    """The answers of one model, averaged over its experiment's views."""
    said = saved_metadata(model)
    task, views, temperature = tasks.task(said["task"]), said.get("views", ["plain"]), said.get("temperature", 1.0)
    found = _mean(task, model, photos, views, saved_model, temperature)
    predictions = task.link.tempered(found, said.get("views_temperature", 1.0))
    return Answered(task, said["classes"], said.get("decision", {}), predictions)


def _experiment(folder: Path, photos: Photos, saved_model: str | None) -> Answered:
    """The same for the mean of all fits of an experiment, or for the weighted mean of an ensemble's members."""
    path, weights = folder / "calibration.json", folder / "weights.csv"
    said = json.loads(path.read_text()) if path.is_file() else {}
    if "fits" not in said:
        raise BadInput(f"{folder}: contains no results of an experiment; have Snakemake build its submission first")
    if weights.is_file():
        table = pd.read_csv(weights, dtype={"experiment": str}, keep_default_na=False)
        parts = [_experiment(folder.parent / name, photos, saved_model) for name in table.experiment]
        task, labels = parts[0].task, parts[0].labels
        found = np.einsum("m,mnc->nc", table.weight, [each.predictions for each in parts])
    else:
        models = [folder / fit / "fitted.keras" for fit in said["fits"]]
        own = saved_metadata(models[0])
        task, labels = tasks.task(own["task"]), own["classes"]
        found = np.mean([_mean(task, model, photos, said["views"], saved_model) for model in models], axis=0)
    scaled = task.link.tempered(found.astype(np.float32), said["test_temperature"])
    return Answered(task, labels, json.loads((folder / "decision.json").read_text())["decision"], scaled)


def _mean(
    task: tasks.Task,
    model: Path,
    photos: Photos,
    views: list[str],
    saved_model: str | None,
    temperature: float = 1.0,
) -> Floats:
    """The probabilities at temperature 1 of a model that is calibrated to `temperature`, averaged over the views."""
    from podium.networks import training

    logging.getLogger("tensorflow").setLevel(logging.ERROR)  # it warns of a graph for each model
    check_photos_suffice(model)
    network = training.load(model, saved_model)
    stored = pixels.Pixels([photos.stored(saved_metadata(model)["decoding"])])
    rows = np.arange(len(stored))
    side = task.side if isinstance(task, DenseTask) else None
    each = [np.concatenate([*training.average(network, stored, rows, [view], side=side)]) for view in views]
    return np.mean([task.link.tempered(own, 1 / temperature) for own in each], axis=0)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model", type=Path, help="a fit's model.keras, or an experiment's folder in results/")
    parser.add_argument("photos", type=Path, nargs="+", help="photos, or folders of them")
    parser.add_argument(
        "--out", type=Path, default=Path("predictions.csv"), help="the table to write; predictions.csv by default"
    )
    parser.add_argument("--saved-model", metavar="FOLDER", help="the SavedModel that the model is built on, if any")
    arguments = parser.parse_args()
    without_chatter()
    try:
        classify(**vars(arguments))
    except BadInput as error:
        parser.exit(1, f"classify: {error}\n")
    print(f"wrote {arguments.out}")


if __name__ == "__main__":
    main()
