"""Blend the predictions of several experiments."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from podium import tasks
from podium.predictions.evidence import PARTS
from podium.predictions.stored import Predictions, some, write
from podium.predictions.yardsticks import judge
from podium.step import Output, log, run
from podium.tables import read_csv, write_csv

ROUNDS = 25

Floats = NDArray[np.float32]
Ints = NDArray[np.int64]


def blend(
    members: list[Path], index: Path, pooled: Output, weights: Output, *, task: dict[str, Any], names: list[str]
) -> None:
    """Blend the predictions of several experiments, with weights fitted on the yardstick of all of them.

    `task` is the task's name with its settings and the metric.

    Greedy selection with replacement (Caruana et al., "Ensemble selection from libraries of models", 2004) by what the
    task's `guide` says for its metric. It is used only if it beats the plain mean on photos that its weights were not
    fitted on; each yardstick photo is then blended with weights fitted without it, so that the blend's own scores are
    unbiased. If no photo judges the members, the blend is their plain mean.
    """
    tables, target = _shared([Predictions.read(path) for path in members]), tasks.task(task)
    yardstick = judge(target, read_csv(index), tables[0])
    chosen = np.full(len(names), 1 / len(names), np.float32)
    each = np.tile(chosen[:, None], len(tables[0]))
    if yardstick is None:
        log.info("no photo judges the members, so the blend is their plain mean")
    else:
        tried = some(np.arange(len(yardstick.rows)), tables[0].outputs)
        found = np.stack([table[yardstick.rows[tried]] for table in tables])
        truth, parts = yardstick.truth[tried], yardstick.parts(PARTS)
        fitted = _crossfitted(target, truth, found, parts[tried])
        blended = np.concatenate([_mean(found[:, rows], fitted[part]) for part, rows in _by_part(parts[tried])])
        order = np.concatenate([rows for _, rows in _by_part(parts[tried])])
        greedy = target.guide(truth[order], blended)
        plain = target.guide(truth, _mean(found, chosen))
        if greedy < plain:
            chosen = _greedy(target, truth, found)
            each = np.tile(chosen[:, None], len(tables[0]))
            each[:, yardstick.rows] = np.stack([fitted[part] for part in parts], 1)
        log.info(
            "%s: loss %.4f with greedy weights, %.4f with the plain mean: %s",
            yardstick.name.replace("_", " "),
            greedy,
            plain,
            ", ".join(f"{name} {weight:.2f}" for name, weight in zip(names, chosen, strict=True)),
        )
    write(pooled, tables[0].keys, tables[0].outputs, _blended(tables, each), tables[0].kind)
    write_csv(weights, pd.DataFrame({"experiment": names, "weight": chosen}))


def _blended(tables: list[Predictions], weights: Floats) -> Iterator[Floats]:
    """The members' sums, with weights [members, n] for each row."""
    for rows, first in tables[0].blocks():
        blocks = [first, *(table[rows] for table in tables[1:])]
        yield sum(own[rows, None] * block for own, block in zip(weights, blocks, strict=True))


def _shared(tables: list[Predictions]) -> list[Predictions]:
    """The rows that all members have: a member without folds has no out-of-fold rows."""
    keys = tables[0].keys
    for table in tables[1:]:
        keys = keys.merge(table.keys, on=["split", "id"])
    return [table.at(keys) for table in tables]


def _by_part(parts: Ints) -> list[tuple[int, Ints]]:
    """Each part with the places of its photos."""
    return [(int(part), np.flatnonzero(parts == part)) for part in np.unique(parts)]


def _mean(found: Floats, weights: Floats) -> Floats:
    """The weighted mean [n, outputs] of the members' predictions [members, n, outputs]."""
    return np.einsum("mno,m->no", found, weights)


def _crossfitted(task: tasks.Task, truth: NDArray[Any], found: Floats, parts: Ints) -> Floats:
    """Weights [parts, members], fitted on the photos of all other parts."""
    others = [np.flatnonzero(parts != part) for part in range(PARTS)]
    return np.stack([_greedy(task, truth[rows], found[:, rows]) for rows in others])


def _greedy(task: tasks.Task, truth: NDArray[Any], found: Floats) -> Floats:
    """Weights [members]: each member's share of the rounds in which adding it once more was best."""
    chosen, total = np.zeros(len(found), np.float32), np.zeros(found.shape[1:], np.float32)
    if not found.shape[1]:
        return np.full(len(found), 1 / len(found), np.float32)
    for count in range(1, ROUNDS + 1):
        best = int(np.argmin([task.guide(truth, (total + own) / count) for own in found]))
        chosen[best] += 1
        total += found[best]
    return chosen / np.float32(ROUNDS)


if __name__ == "__main__":
    run(blend)
