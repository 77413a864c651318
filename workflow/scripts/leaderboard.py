"""Compare the experiments, the best first, and keep the history of superseded scores."""

from pathlib import Path
from typing import Any

import pandas as pd

from podium import JUDGES, tasks
from podium.predictions.history import Scored, differences, read
from podium.step import Output, log, run
from podium.tables import write_csv

COLUMNS = {
    "": "value",
    "_low": "low",
    "_high": "high",
    "_plain": "plain",
    "_seeds_mean": "seeds_mean",
    "_seeds_std": "seeds_std",
}


def leaderboard(
    scored: list[Path],
    leaderboard: Output,
    history: Output,
    *,
    task: dict[str, Any],
    experiments: list[str],
    others: dict[str, list[str]],
    fitting: list[str],
    teachers: dict[str, list[str]],
) -> None:
    """Compare the experiments by the task's metric, the best first; each figure names its yardstick.

    `task` is the task's name with its settings and the metric. Each experiment is judged by the validation table if
    there is one, else out of fold, else by its held-out fold. Figures of different yardsticks are not compared: the
    experiments of one yardstick are listed above those of the next. Experiments without a yardstick keep their order,
    whatever their scores on the test photos. `teachers` names, for each experiment that trained on photos without
    labels, the experiments that labelled them.

    `scored` are the files of the `experiments`, which have just been scored. `others` were scored earlier, in files
    next to these; for each it gives the digests of its lines. Those listed in `fitting` have current settings and are
    compared too if their photos are the same. `history` contains all figures of all experiments.
    """
    files = dict(zip(experiments, scored, strict=True))
    known = {name: read(path) for name, path in files.items()}
    photos = {each[-1].photos for each in known.values()}
    for name, digests in others.items():
        # Lines added in the meantime are left to the next run, which expects them.
        known[name] = [each for each in read(leaderboard.with_name(name) / "scored.jsonl") if each.digest in digests]
    compared = {
        name: known[name][-1] for name in [*files, *fitting] if known[name] and known[name][-1].photos in photos
    }
    for name in others:
        if name not in compared:
            log.info("%s is not compared: its settings or photos have changed since it was scored", name)
    rows = [_row(name, each, teachers) for name, each in compared.items()]
    metric, more_is_better = next(iter(tasks.task(task).metrics.items()))
    table = _ranked(rows, metric, more_is_better=more_is_better)
    write_csv(leaderboard, table)
    write_csv(history, _history(known, compared))
    _say_the_best(table, metric)


def _row(name: str, scored: Scored, teachers: dict[str, list[str]]) -> dict[str, Any]:
    judge = next((yardstick for yardstick in JUDGES if yardstick in scored.figures), "")
    taught = {"teachers": " ".join(teachers.get(name, []))} if teachers else {}
    return {"experiment": name, "judged_by": judge, **taught, **_flat(scored.figures)}


def _flat(scores: dict[str, Any]) -> dict[str, Any]:
    """The figures of all yardsticks as columns."""
    row = dict[str, Any]()
    for yardstick, figures in scores.items():
        row |= {f"{yardstick}_photos": figures["photos"]}
        row |= {
            f"{yardstick}_{name}{suffix}": figures[name][key]
            for name in figures
            if name != "photos"
            for suffix, key in COLUMNS.items()
            if key in figures[name]
        }
    return row


def _ranked(rows: list[dict[str, Any]], metric: str, *, more_is_better: bool) -> pd.DataFrame:
    better = -1 if more_is_better else 1
    place = [
        (JUDGES.index(by), better * row[f"{by}_{metric}"]) if (by := row["judged_by"]) else (len(JUDGES), 0.0)
        for row in rows
    ]
    return pd.DataFrame(rows).iloc[sorted(range(len(rows)), key=place.__getitem__)]


def _history(known: dict[str, list[Scored]], compared: dict[str, Scored]) -> pd.DataFrame:
    """A row for each combination of settings that was ever scored, with its differences from the previous one."""
    rows = []
    for name, each in known.items():
        for before, scored in zip([*each[:1], *each], each, strict=False):
            row = {"experiment": name, "changed": _changed(before, scored), "compared": scored is compared.get(name)}
            rows.append(row | _flat(scored.figures))
    return pd.DataFrame(rows)


def _changed(before: Scored, after: Scored) -> str:
    said = [f"{key}: {words}" for key, words in differences(before.settings, after.settings).items()]
    return "; ".join([*said, *(["other photos, labels or splits"] if before.photos != after.photos else [])])


def _say_the_best(table: pd.DataFrame, metric: str) -> None:
    for _, group in table.groupby("judged_by", sort=False):
        best = group.iloc[0]
        if judge := best.judged_by:
            log.info("best by %s_%s: %s, %.4f", judge, metric, best.experiment, best[f"{judge}_{metric}"])
        else:
            log.info("not ranked because no photos except test photos can judge them: %s", ", ".join(group.experiment))


if __name__ == "__main__":
    run(leaderboard)
