"""Draw what an experiment answers for each pixel of some photos, beside the truth."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from podium import tasks
from podium.photos.pixels import Pixels
from podium.predictions.evidence import gathered
from podium.predictions.stored import Predictions
from podium.predictions.yardsticks import judge
from podium.step import BadInput, Output, log, run
from podium.tables import read_csv
from podium.tasks.dense import DenseTask

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SHOWN = {"worst": [0.0, 0.02], "median": [0.49, 0.51], "best": [0.98, 1.0]}  # places in the order of errors
SIDE, RESOLUTION = 2.0, 110  # inches of a picture, and dots in each


def panels(
    predictions: Path,
    decision: Path,
    parts: list[Path],
    index: Path,
    panels: Output,
    *,
    task: dict[str, Any],
    split: str,
    title: str,
) -> None:
    """Draw what an experiment answers for each pixel of some photos, beside the truth.

    `task` is the task's name with its settings and the metric. Of the photos that judge, those with most, with the
    median and with least errors are shown: the photo as it is stored in `parts`, the pixels of `split`; the truth; the
    answer; and where both differ. The picture is a PNG, of the same bytes each time. Raises BadInput if no photo
    judges.
    """
    import matplotlib

    photos, found, target = read_csv(index), Predictions.read(predictions), tasks.task(task)
    assert isinstance(target, DenseTask)
    how = json.loads(decision.read_text())["decision"]
    if (yardstick := judge(target, photos, found)) is None:
        raise BadInput(f"{index}: no photo with a target judges this experiment")
    labels = target.taught(photos)
    evidence = gathered(target, yardstick.truth, found, yardstick.rows, how)
    errors = target.mistakes(evidence, labels)[target.gravity].to_numpy()
    chosen = _chosen(errors)
    first = photos[photos.split == split].reset_index(drop=True).reset_index().drop_duplicates("id").set_index("id")
    rows = first["index"].loc[yardstick.photos.id.iloc[[*chosen.values()]]].to_numpy()
    pictures = [
        _pictures(target, photo, str(yardstick.truth[place]), found[[yardstick.rows[place]]][0], how)
        for place, photo in zip(chosen.values(), Pixels(parts)[rows], strict=True)
    ]
    said = target.gravity.replace("_", " ")
    named = [f"{kind}: {yardstick.photos.id.iloc[place]}\n{said} {errors[place]:.3f}" for kind, place in chosen.items()]
    with matplotlib.rc_context({**matplotlib.rcParamsDefault, "text.parse_math": False}):
        figure = draw(pictures, named, target.legend(labels), title)
        figure.savefig(panels, format="png", dpi=RESOLUTION, metadata={"Software": None})
    log.info("%d photos of %d, from most to least errors", len(chosen), len(errors))


def _chosen(errors: NDArray[np.float64]) -> dict[str, int]:
    """The places of the photos that are shown, by what each is called; each once."""
    order, found = np.argsort(-errors, kind="stable"), dict[str, int]()
    for kind, shares in SHOWN.items():
        for number, share in enumerate(shares, 1):
            place = int(order[round(share * (len(order) - 1))])
            if place not in found.values():
                found[f"{kind} {number}"] = place
    return found


def _pictures(
    task: DenseTask, photo: NDArray[np.uint8], name: str, prediction: Any, how: tasks.Decision
) -> dict[str, NDArray[Any]]:
    """What the task shows of a photo, at the size of its target."""
    truth = task.target(name)
    answer = task.answered(task.sized(prediction, truth.shape[1], truth.shape[0]), how)
    return task.pictures(task.photo(photo, truth.shape[1], truth.shape[0]), truth, answer)


def draw(
    pictures: list[dict[str, NDArray[Any]]], named: list[str], legend: dict[str, NDArray[Any]], title: str
) -> "Figure":
    """A row for each photo, and the colours of the classes below."""
    from matplotlib.figure import Figure
    from matplotlib.patches import Patch

    columns = [*pictures[0]]
    high, wide = pictures[0][columns[0]].shape[:2]
    figure = Figure((SIDE * len(columns) * 1.2, SIDE * len(pictures) * high / wide * 1.15 + 1), layout="constrained")
    figure.suptitle(title)
    axes = figure.subplots(len(pictures), len(columns), squeeze=False)
    for row, own, name in zip(axes, pictures, named, strict=True):
        for cell, picture in zip(row, own.values(), strict=True):
            cell.imshow(picture)
            cell.set_xticks([])
            cell.set_yticks([])
        row[0].set_ylabel(name, fontsize=7)
    for cell, column in zip(axes[0], columns, strict=True):
        cell.set_title(column)
    if keys := [Patch(color=tuple(colour), label=label) for label, colour in legend.items()]:
        figure.legend(handles=keys, loc="outside lower center", ncols=min(len(keys), 6), fontsize=8)
    return figure


if __name__ == "__main__":
    run(panels)
