"""Compare the experiments, the best first."""

import json
from pathlib import Path

import pandas as pd

from podium import JUDGES
from podium.scores import METRICS
from podium.step import Output, log, run
from podium.tables import write_csv


def leaderboard(scores: list[Path], leaderboard: Output, *, experiments: list[str], metric: str) -> None:
    """Compare the experiments by `metric`, the best first; each figure names its yardstick.

    The order is that of the validation table where there is one, else of the out-of-fold predictions.
    """
    rows = []
    for experiment, path in zip(experiments, scores, strict=True):
        row = {"experiment": experiment}
        for yardstick, figures in json.loads(path.read_text()).items():
            row |= {f"{yardstick}_photos": figures["photos"]}
            row |= {
                f"{yardstick}_{name}{suffix}": figures[name][key]
                for name in METRICS
                for suffix, key in [("", "value"), ("_low", "low"), ("_high", "high")]
            }
        rows.append(row)
    table = pd.DataFrame(rows)
    judge = next(f"{yardstick}_{metric}" for yardstick in JUDGES if f"{yardstick}_{metric}" in table)
    table = table.sort_values(judge, ascending=metric == "log_loss", kind="stable")
    write_csv(leaderboard, table)
    log.info("best by %s: %s, %.4f", judge, table.experiment.iloc[0], table[judge].iloc[0])


if __name__ == "__main__":
    run(leaderboard)
