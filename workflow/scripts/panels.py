"""Draw what an experiment answers for each pixel of some photos, beside the truth."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from podium import tasks
from podium.photos.masks import VOID
from podium.photos.pixels import Pixels
from podium.predictions.evidence import gathered
from podium.predictions.stored import Predictions
from podium.predictions.yardsticks import Yardstick, judge
from podium.step import BadInput, Output, log, run
from podium.tables import read_csv

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SHOWN = {"worst": [0.0, 0.02], "median": [0.49, 0.51], "best": [0.98, 1.0]}  # places in the order of errors
COLUMNS = ("photo", "truth", "answer", "wrong")
SIDE, RESOLUTION = 2.0, 110  # inches of a picture, and dots in each
COLOURS = "tab20"  # of matplotlib, for classes in their order
VOID_COLOUR, WRONG_COLOUR = (0.85, 0.85, 0.85), (0.85, 0.1, 0.1)


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
    median and with least errors are shown: the photo as it is stored in `parts`, the pixels of `split`; its mask; the
    answer; and where both differ. The picture is a PNG, of the same bytes each time. Raises BadInput if no photo
    judges.
    """
    import matplotlib

    photos, found, target = read_csv(index), Predictions.read(predictions), tasks.task(task)
    how = json.loads(decision.read_text())["decision"]
    if (yardstick := judge(target, photos, found)) is None:
        raise BadInput(f"{index}: no photo with a mask judges this experiment")
    labels = target.taught(photos)
    evidence = gathered(target, yardstick.truth, found, yardstick.rows, how)
    errors = target.mistakes(evidence, labels)[target.gravity].to_numpy()
    chosen = _chosen(errors)
    first = photos[photos.split == split].reset_index(drop=True).reset_index().drop_duplicates("id").set_index("id")
    rows = first["index"].loc[yardstick.photos.id.iloc[[*chosen.values()]]].to_numpy()
    pictures = [
        _pictures(target, yardstick, photo, found[[yardstick.rows[place]]][0], how, place)
        for place, photo in zip(chosen.values(), Pixels(parts)[rows], strict=True)
    ]
    named = [f"{kind}: {yardstick.photos.id.iloc[place]}\n{errors[place]:.1%} wrong" for kind, place in chosen.items()]
    with matplotlib.rc_context({**matplotlib.rcParamsDefault, "text.parse_math": False}):
        figure = draw(pictures, named, labels, title)
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
    task: tasks.Task, yardstick: Yardstick, photo: NDArray[np.uint8], prediction: Any, how: tasks.Decision, place: int
) -> list[NDArray[Any]]:
    """The photo, its mask, the answer and what is wrong, in colours, at the mask's size."""
    truth = task.mask(str(yardstick.truth[place]))
    answer = task.answered(task.sized(prediction, truth.shape[1], truth.shape[0]), how)
    wrong = (answer != truth) & (truth != VOID)
    return [photo, coloured(truth), coloured(answer), np.where(wrong[..., None], WRONG_COLOUR, 1.0)]


def coloured(ids: NDArray[Any]) -> NDArray[np.float64]:
    """Classes' numbers [h, w] as colours [h, w, 3]; void is grey."""
    from matplotlib import colormaps

    colours = np.array(colormaps[COLOURS].colors)  # type: ignore[attr-defined]
    found = colours[ids % len(colours)]
    found[ids == VOID] = VOID_COLOUR
    return found


def draw(pictures: list[list[NDArray[Any]]], named: list[str], labels: list[str], title: str) -> "Figure":
    """A row for each photo, and the colours of the classes below."""
    from matplotlib.figure import Figure
    from matplotlib.patches import Patch

    high, wide = pictures[0][1].shape[:2]
    figure = Figure((SIDE * len(COLUMNS) * 1.2, SIDE * len(pictures) * high / wide * 1.15 + 1), layout="constrained")
    figure.suptitle(title)
    axes = figure.subplots(len(pictures), len(COLUMNS), squeeze=False)
    for row, own, name in zip(axes, pictures, named, strict=True):
        for cell, picture in zip(row, own, strict=True):
            cell.imshow(picture, aspect="auto", extent=(0, own[1].shape[1], own[1].shape[0], 0))
            cell.set_aspect("equal")
            cell.set_xticks([])
            cell.set_yticks([])
        row[0].set_ylabel(name, fontsize=7)
    for cell, column in zip(axes[0], COLUMNS, strict=True):
        cell.set_title(column)
    keys = [Patch(color=coloured(np.array([[number]]))[0, 0], label=label) for number, label in enumerate(labels)]
    keys.append(Patch(color=VOID_COLOUR, label="void"))
    figure.legend(handles=keys, loc="outside lower center", ncols=min(len(keys), 6), fontsize=8)
    return figure


if __name__ == "__main__":
    run(panels)
