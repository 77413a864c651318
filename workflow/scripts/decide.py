"""Decide how answers are made of predictions: as the competition's metric rewards."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from podium import JUDGES, tasks
from podium.predictions.evidence import PARTS, decision, gathered, in_parts
from podium.predictions.stored import Predictions
from podium.predictions.yardsticks import Yardstick, judge, yardsticks
from podium.step import Output, log, run
from podium.tables import read_csv, write_csv


def decide(predictions: Path, index: Path, decision: Output, table: Output, *, task: dict[str, Any]) -> None:
    """Decide how answers are made of predictions: as the competition's metric rewards, out of fold.

    `task` is the task's name with its settings and the metric. The photos that judge are divided into parts, whole
    groups at a time; each part is answered as is best for the others, so that the figure of the decided answers is
    honest. Only where it beats that of the plain answers are the photos of the test answered as is best for all that
    judge. `decision` keeps both figures, and how each part is answered. `table` shows people the answer to each photo
    and what is behind it.
    """
    photos, found, target = read_csv(index), Predictions.read(predictions), tasks.task(task)
    labels = target.taught(photos)
    plain = target.limits(target.truth(photos.label[photos.split == "train"], labels))
    yardstick = judge(target, photos, found, unknown=True)
    said: dict[str, Any] = {"decision": plain, "plain": plain, "parts": {}, "metric": target.decided_by}
    if yardstick is None:
        said["why"] = "answers are the plain ones: no photo judges this experiment"
    else:
        said |= _decided(target, yardstick, found, plain)
        if said["parts"]:
            others = [each for each in yardsticks(target, photos, found) if each.name in JUDGES]
            others = [each for each in others if each.name != yardstick.name]
            said["parts"] |= {each.name: _parts(target, each, found, plain) for each in others}
    log.info(said["why"])
    decision.write_text(json.dumps(said, indent=2) + "\n")
    shown = [target.shown(block, said["decision"], labels) for _, block in found.blocks()]
    write_csv(table, pd.concat([found.keys, pd.concat(shown, ignore_index=True)], axis=1))


def _decided(task: tasks.Task, yardstick: Yardstick, found: Predictions, plain: tasks.Decision) -> dict[str, Any]:
    """The decision and, if it is not the plain one, that of each part; the metric of both, and why one is taken."""
    by, rows = task.decided_by, yardstick.rows
    before = task.figures(gathered(task, yardstick.truth, found, rows, plain))[by]
    parts = _parts(task, yardstick, found, plain)
    after = task.figures(in_parts(task, yardstick, found, parts))[by]
    better = after > before if task.metrics[by] else after < before
    how = plain | decision(task, yardstick.truth, found, rows) if better else plain
    judged = yardstick.name.replace("_", " ")
    said = f"{judged}: {by} {before:.4f} with plain answers, {after:.4f} with those that are best for other photos"
    return {
        "decision": how,
        "parts": {yardstick.name: parts} if how != plain else {},
        "figures": {"plain": before, "decided": after},
        "why": f"{said}: answers are {'decided' if better else 'the plain ones'}",
    }


def _parts(task: tasks.Task, yardstick: Yardstick, found: Predictions, plain: tasks.Decision) -> list[tasks.Decision]:
    """How each part of a yardstick's photos is answered: as is best for the others."""
    parts = yardstick.parts(PARTS)
    others = [np.flatnonzero(parts != part) for part in range(PARTS)]
    return [plain | decision(task, yardstick.truth[own], found, yardstick.rows[own]) for own in others]


if __name__ == "__main__":
    run(decide)
