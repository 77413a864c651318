"""Blend the predictions of several experiments."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from podium import tasks
from podium.predictions.stored import Predictions, write
from podium.predictions.yardsticks import Yardstick, judge
from podium.step import Output, log, run
from podium.tables import read_csv, write_csv
from podium.tasks.measures import charged

ROUNDS = 25
PARTS = 5

Floats = NDArray[np.float32]


def blend(
    members: list[Path], index: Path, pooled: Output, weights: Output, *, task: dict[str, Any], names: list[str]
) -> None:
    """Blend the predictions of several experiments, with weights fitted on the yardstick of all of them.

    `task` is the task's name with its settings.

    Greedy selection with replacement (Caruana et al., "Ensemble selection from libraries of models", 2004)
    by log loss. It is used only if it beats the plain mean on photos that its weights were not fitted on; each
    yardstick photo is then blended with weights fitted without it, so that the blend's own scores are unbiased. If no
    photo judges the members, the blend is their plain mean.
    """
    tables, target = _shared([Predictions.read(path) for path in members]), tasks.task(task)
    yardstick = judge(target, read_csv(index), tables[0])
    chosen = np.full(len(names), 1 / len(names), np.float32)
    each = np.tile(chosen[:, None], len(tables[0]))
    if yardstick is None:
        log.info("no photo judges the members, so the blend is their plain mean")
    else:
        given = np.stack([_given(target, yardstick, table) for table in tables])
        fitted = _crossfitted(given, yardstick)
        greedy = float(charged(np.einsum("mn,mn...->n...", fitted, given)).mean())
        plain = float(charged(given.mean(0)).mean())
        if greedy < plain:
            chosen = _greedy(given)
            each = np.tile(chosen[:, None], len(tables[0]))
            each[:, yardstick.rows] = fitted
        log.info(
            "log loss %s: greedy weights %.4f, plain mean %.4f; %s",
            yardstick.name.replace("_", " "),
            greedy,
            plain,
            ", ".join(f"{name} {weight:.2f}" for name, weight in zip(names, chosen, strict=True)),
        )
    write(pooled, tables[0].keys, tables[0].outputs, _blended(tables, each))
    write_csv(weights, pd.DataFrame({"experiment": names, "weight": chosen}))


def _blended(tables: list[Predictions], weights: Floats) -> Iterator[Floats]:
    """The members' sums, with weights [members, n] for each row."""
    for rows, first in tables[0].blocks():
        blocks = [first, *(table[rows] for table in tables[1:])]
        yield sum(own[rows, None] * block for own, block in zip(weights, blocks, strict=True))


def _given(task: tasks.Task, yardstick: Yardstick, table: Predictions) -> NDArray[np.float64]:
    """The probabilities that a member gives to what is true of each yardstick photo."""
    return np.concatenate([task.given(yardstick.truth[some], block) for some, block in table.blocks(yardstick.rows)])


def _shared(tables: list[Predictions]) -> list[Predictions]:
    """The rows that all members have: a member without folds has no out-of-fold rows."""
    keys = tables[0].keys
    for table in tables[1:]:
        keys = keys.merge(table.keys, on=["split", "id"])
    return [table.at(keys) for table in tables]


def _crossfitted(given: NDArray[np.float64], yardstick: Yardstick) -> Floats:
    """Weights [members, n] for each photo, fitted on the parts that do not contain it."""
    parts, weights = yardstick.parts(PARTS), np.zeros(given.shape[:2], np.float32)
    for part in np.unique(parts):
        others = parts != part
        weights[:, ~others] = _greedy(given[:, others])[:, None]
    return weights


def _greedy(given: NDArray[np.float64]) -> Floats:
    """Weights [members]: each member's share of the rounds in which adding it once more gave the least log loss."""
    chosen, total = np.zeros(len(given), np.float32), np.zeros(given.shape[1:])
    if not given.shape[1]:
        return np.full(len(given), 1 / len(given), np.float32)
    for count in range(1, ROUNDS + 1):
        best = int(np.argmin([charged((total + own) / count).mean() for own in given]))
        chosen[best] += 1
        total += given[best]
    return chosen / np.float32(ROUNDS)


if __name__ == "__main__":
    run(blend)
