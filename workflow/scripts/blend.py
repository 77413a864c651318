"""Blend the predictions of several experiments."""

from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from podium.predictions.scores import charged, given, log_losses
from podium.predictions.yardsticks import Yardstick, judge
from podium.step import Output, log, run
from podium.tables import Predictions, read_csv, write_csv

ROUNDS = 25
PARTS = 5

Floats = NDArray[np.float32]


def blend(members: list[Path], index: Path, pooled: Output, weights: Output, *, names: list[str]) -> None:
    """Blend the predictions of several experiments, with weights fitted on the yardstick of all of them.

    Greedy selection with replacement (Caruana et al., "Ensemble selection from libraries of models", 2004)
    by log loss. It is used only if it beats the plain mean on photos that its weights were not fitted on; each
    yardstick photo is then blended with weights fitted without it, so that the blend's own scores are unbiased. If no
    photo judges the members, the blend is their plain mean.
    """
    tables = _shared([Predictions.read(path) for path in members])
    yardstick = judge(read_csv(index), tables[0])
    stacked = np.stack([table.probabilities for table in tables])
    chosen = np.full(len(names), 1 / len(names), np.float32)
    probabilities = np.einsum("m,mnc->nc", chosen, stacked)
    if yardstick is None:
        log.info("no photo judges the members, so the blend is their plain mean")
    else:
        on_yardstick = stacked[:, yardstick.rows]
        fitted = _crossfitted(on_yardstick, yardstick)
        blended = np.einsum("mn,mnc->nc", fitted, on_yardstick)
        greedy, plain = (float(log_losses(yardstick.truth, each).mean()) for each in (blended, on_yardstick.mean(0)))
        if greedy < plain:
            chosen = _greedy(on_yardstick, yardstick.truth)
            probabilities = np.einsum("m,mnc->nc", chosen, stacked)
            probabilities[yardstick.rows] = blended
        log.info(
            "log loss %s: greedy weights %.4f, plain mean %.4f; %s",
            yardstick.name.replace("_", " "),
            greedy,
            plain,
            ", ".join(f"{name} {weight:.2f}" for name, weight in zip(names, chosen, strict=True)),
        )
    Predictions(tables[0].keys, tables[0].labels, probabilities).write(pooled)
    write_csv(weights, pd.DataFrame({"experiment": names, "weight": chosen}))


def _shared(tables: list[Predictions]) -> list[Predictions]:
    """The rows that all members have: a member without folds has no out-of-fold rows."""
    keys = tables[0].keys
    for table in tables[1:]:
        keys = keys.merge(table.keys, on=["split", "id"])
    return [table.at(keys) for table in tables]


def _crossfitted(stacked: Floats, yardstick: Yardstick) -> Floats:
    """Weights [members, n] for each photo, fitted on the parts that do not contain it."""
    parts, weights = yardstick.parts(PARTS), np.zeros(stacked.shape[:2], np.float32)
    for part in np.unique(parts):
        others = parts != part
        weights[:, ~others] = _greedy(stacked[:, others], yardstick.truth[others])[:, None]
    return weights


def _greedy(stacked: Floats, truth: NDArray[np.int64]) -> Floats:
    """Weights [members]: each member's share of the rounds in which adding it once more gave the least log loss."""
    chosen, total = np.zeros(len(stacked), np.float32), np.zeros(len(truth))
    members = np.stack([given(truth, each) for each in stacked])
    if not len(truth):
        return np.full(len(stacked), 1 / len(stacked), np.float32)
    for count in range(1, ROUNDS + 1):
        losses = charged((total + members) / count).mean(1)
        best = int(losses.argmin())
        chosen[best] += 1
        total += members[best]
    return chosen / np.float32(ROUNDS)


if __name__ == "__main__":
    run(blend)
