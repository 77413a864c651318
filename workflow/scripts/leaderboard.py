"""Compare the experiments, the best first, and keep what was superseded."""

from pathlib import Path
from typing import Any

import pandas as pd

from podium import JUDGES
from podium.history import Scored, differences, read
from podium.scores import METRICS
from podium.step import Output, log, run
from podium.tables import write_csv

COLUMNS = {"": "value", "_low": "low", "_high": "high", "_seeds_mean": "seeds_mean", "_seeds_std": "seeds_std"}


def leaderboard(
    scored: list[Path],
    leaderboard: Output,
    history: Output,
    *,
    experiments: list[str],
    others: dict[str, list[str]],
    fitting: list[str],
    teachers: dict[str, list[str]],
    metric: str,
) -> None:
    """Compare the experiments by `metric`, the best first; each figure names its yardstick.

    Each is judged by the validation table where there is one, else out of fold, else by its held-out fold;
    figures of different yardsticks are not compared: one's experiments stand above the next one's. Where there is
    none of them, experiments keep their order, whatever the test photos say. `teachers` names, for each that trained
    on photos without labels, the experiments that labelled these.

    `scored` are the files of the `experiments`, just scored. `others` were scored before, in files beside these: of
    each the digests of its lines. Those of them that are `fitting`, since their settings are today's, are compared too
    where their photos are the same. `history` holds all figures of all of them.
    """
    files = dict(zip(experiments, scored, strict=True))
    known = {name: read(path) for name, path in files.items()}
    photos = {each[-1].photos for each in known.values()}
    for name, digests in others.items():
        # What was added meanwhile is for the next time, when it is expected.
        known[name] = [each for each in read(leaderboard.with_name(name) / "scored.jsonl") if each.digest in digests]
    compared = {
        name: known[name][-1] for name in [*files, *fitting] if known[name] and known[name][-1].photos in photos
    }
    for name in others:
        if name not in compared:
            log.info("%s is not compared: settings or photos are not those any more that it was scored with", name)
    table = _ranked([_row(name, each, teachers) for name, each in compared.items()], metric)
    write_csv(leaderboard, table)
    write_csv(history, _history(known, compared))
    _say_the_best(table, metric)


def _row(name: str, scored: Scored, teachers: dict[str, list[str]]) -> dict[str, Any]:
    judge = next((yardstick for yardstick in JUDGES if yardstick in scored.figures), "")
    taught = {"teachers": " ".join(teachers.get(name, []))} if teachers else {}
    return {"experiment": name, "judged_by": judge, **taught, **_flat(scored.figures)}


def _flat(scores: dict[str, Any]) -> dict[str, Any]:
    """The figures of each yardstick as columns."""
    row = dict[str, Any]()
    for yardstick, figures in scores.items():
        row |= {f"{yardstick}_photos": figures["photos"]}
        row |= {
            f"{yardstick}_{name}{suffix}": figures[name][key]
            for name in METRICS
            for suffix, key in COLUMNS.items()
            if key in figures[name]
        }
    return row


def _ranked(rows: list[dict[str, Any]], metric: str) -> pd.DataFrame:
    better = -1 if metric != "log_loss" else 1
    place = [
        (JUDGES.index(by), better * row[f"{by}_{metric}"]) if (by := row["judged_by"]) else (len(JUDGES), 0.0)
        for row in rows
    ]
    return pd.DataFrame(rows).iloc[sorted(range(len(rows)), key=place.__getitem__)]


def _history(known: dict[str, list[Scored]], compared: dict[str, Scored]) -> pd.DataFrame:
    """A row for each setting that was ever scored, and what differs in it from the one before."""
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
            log.info("not ranked, since no photo but the test photos judges them: %s", ", ".join(group.experiment))


if __name__ == "__main__":
    run(leaderboard)
