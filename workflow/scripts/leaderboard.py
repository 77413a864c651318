"""Compare the experiments, the best first."""

import json
from pathlib import Path

import pandas as pd

from podium import JUDGES
from podium.scores import METRICS
from podium.step import Output, log, run
from podium.tables import write_csv

COLUMNS = {"": "value", "_low": "low", "_high": "high", "_seeds_mean": "seeds_mean", "_seeds_std": "seeds_std"}


def leaderboard(
    scores: list[Path],
    leaderboard: Output,
    *,
    experiments: list[str],
    teachers: dict[str, list[str]],
    metric: str,
) -> None:
    """Compare the experiments by `metric`, the best first; each figure names its yardstick.

    Each is judged by the validation table where there is one, else out of fold, else by its held-out fold;
    figures of different yardsticks are not compared: one's experiments stand above the next one's. Where there is
    none of them, experiments keep their order, whatever the test photos say. `teachers` names, for each that trained
    on photos without labels, the experiments that labelled these.
    """
    rows = []
    for experiment, path in zip(experiments, scores, strict=True):
        found = json.loads(path.read_text())
        row = {"experiment": experiment, "judged_by": next((name for name in JUDGES if name in found), "")}
        if teachers:
            row["teachers"] = " ".join(teachers.get(experiment, []))
        for yardstick, figures in found.items():
            row |= {f"{yardstick}_photos": figures["photos"]}
            row |= {
                f"{yardstick}_{name}{suffix}": figures[name][key]
                for name in METRICS
                for suffix, key in COLUMNS.items()
                if key in figures[name]
            }
        rows.append(row)
    table, better = pd.DataFrame(rows), -1 if metric != "log_loss" else 1
    place = [
        (JUDGES.index(by), better * row[f"{by}_{metric}"]) if (by := row["judged_by"]) else (len(JUDGES), 0.0)
        for row in rows
    ]
    table = table.iloc[sorted(range(len(rows)), key=place.__getitem__)]
    write_csv(leaderboard, table)
    for _, group in table.groupby("judged_by", sort=False):
        best = group.iloc[0]
        if judge := best.judged_by:
            log.info("best by %s_%s: %s, %.4f", judge, metric, best.experiment, best[f"{judge}_{metric}"])
        else:
            log.info("not ranked, since no photo but the test photos judges them: %s", ", ".join(group.experiment))


if __name__ == "__main__":
    run(leaderboard)
