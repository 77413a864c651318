import logging
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from conftest import TASK

from leaderboard import leaderboard
from podium.predictions import history
from podium.tables import read_csv

METRICS = tuple(TASK.metrics)
FIGURES = {  # accuracy, macro F1 and log loss on each yardstick
    "first": {"out_of_fold": (0.9, 0.5, 0.4), "validation": (0.6, 0.6, 1.0), "test": (0.9, 0.9, 0.1)},
    "second": {"out_of_fold": (0.8, 0.7, 0.3), "validation": (0.7, 0.5, 2.0), "test": (0.1, 0.1, 0.9)},
    "third": {"out_of_fold": (0.7, 0.6, 0.5), "validation": (0.8, 0.4, 0.9), "test": (0.2, 0.2, 0.8)},
}


def board(folder: Path, scores: dict[str, dict[str, Any]], metric: str, **settings: Any) -> pd.DataFrame:
    """The leaderboard of experiments that were just scored, and of what `settings` say beside them."""
    paths = []
    for experiment, figures in scores.items():
        paths.append(folder / experiment / "scored.jsonl")
        paths[-1].parent.mkdir(exist_ok=True)
        history.add(paths[-1], history.Scored({}, "photos", figures))
    given = {
        "task": {"classification": {"metric": metric}},
        "experiments": list(scores),
        "others": {},
        "fitting": [],
        "teachers": {},
        **settings,
    }
    leaderboard(paths, folder / "leaderboard.csv", folder / "history.csv", **given)
    return read_csv(folder / "leaderboard.csv")


def figures(value: float) -> dict[str, Any]:
    return {"photos": 10, **{metric: {"value": value, "low": value, "high": value} for metric in METRICS}}


def ranked(folder: Path, metric: str, yardsticks: set[str]) -> pd.DataFrame:
    """The leaderboard by this metric of the figures on these yardsticks."""
    scores = {
        experiment: {
            yardstick: {"photos": 10}
            | {name: {"value": v, "low": v - 0.01, "high": v + 0.02} for name, v in zip(METRICS, values, strict=True)}
            for yardstick, values in figures.items()
            if yardstick in yardsticks
        }
        for experiment, figures in FIGURES.items()
    }
    return board(folder, scores, metric)


@pytest.mark.parametrize(
    "metric, yardsticks, order",
    [
        ("accuracy", {"out_of_fold"}, ["first", "second", "third"]),
        ("macro_f1", {"out_of_fold"}, ["second", "third", "first"]),
        ("log_loss", {"out_of_fold"}, ["second", "first", "third"]),
        # Photos from elsewhere decide where there are any, and the test photos never.
        ("accuracy", {"out_of_fold", "validation"}, ["third", "second", "first"]),
        ("log_loss", {"out_of_fold", "validation", "test"}, ["third", "first", "second"]),
        ("macro_f1", {"out_of_fold", "test"}, ["second", "third", "first"]),
    ],
)
def test_the_best_stands_first(
    tmp_path: Path, metric: str, yardsticks: set[str], order: list[str], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "podium")
    assert list(ranked(tmp_path, metric, yardsticks).experiment) == order
    judge = "validation" if "validation" in yardsticks else "out_of_fold"
    best = FIGURES[order[0]][judge][METRICS.index(metric)]
    assert caplog.messages == [f"best by {judge}_{metric}: {order[0]}, {best:.4f}"]


def test_each_figure_stands_with_its_yardstick_and_interval(tmp_path: Path) -> None:
    found = ranked(tmp_path, "accuracy", {"out_of_fold", "test"}).set_index("experiment")
    for experiment, figures in FIGURES.items():
        for yardstick in ("out_of_fold", "test"):
            assert found.loc[experiment, f"{yardstick}_photos"] == 10
            for name, value in zip(METRICS, figures[yardstick], strict=True):
                row = found.loc[experiment, [f"{yardstick}_{name}{end}" for end in ("", "_low", "_high")]]
                assert list(row) == pytest.approx([value, value - 0.01, value + 0.02])
    assert not any(column.startswith("validation") for column in found)


def test_figures_of_different_yardsticks_are_not_compared(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """All folds say more than one held out, however good its figure is; photos from elsewhere more than both."""
    caplog.set_level(logging.INFO, "podium")
    reached = {
        "lucky": ("held_out", 0.99),
        "folds": ("out_of_fold", 0.7),
        "better": ("out_of_fold", 0.8),
        "elsewhere": ("validation", 0.5),
        "worse": ("held_out", 0.6),
    }
    scores = {name: {yardstick: figures(value)} for name, (yardstick, value) in reached.items()}
    found = board(tmp_path, scores, "accuracy")
    assert list(found.experiment) == ["elsewhere", "better", "folds", "lucky", "worse"]
    assert list(found.judged_by) == [reached[name][0] for name in found.experiment]
    assert caplog.messages == [
        "best by validation_accuracy: elsewhere, 0.5000",
        "best by out_of_fold_accuracy: better, 0.8000",
        "best by held_out_accuracy: lucky, 0.9900",
    ]


def test_test_photos_rank_nothing(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """What they alone measure, or nothing does, keeps the order of the config, below what is judged."""
    caplog.set_level(logging.INFO, "podium")
    reached = {"low": {"test": 0.5}, "folds": {"out_of_fold": 0.4, "test": 0.3}, "high": {"test": 0.9}, "unknown": {}}
    scores = {name: {by: figures(value) for by, value in values.items()} for name, values in reached.items()}
    board(tmp_path, scores, "accuracy")
    found = pd.read_csv(tmp_path / "leaderboard.csv", keep_default_na=False).set_index("experiment")
    assert list(found.index) == ["folds", "low", "high", "unknown"]
    assert list(found.judged_by) == ["out_of_fold", "", "", ""]
    assert list(found.test_accuracy.astype(str)) == ["0.3", "0.5", "0.9", ""]
    assert caplog.messages == [
        "best by out_of_fold_accuracy: folds, 0.4000",
        "not ranked because no photos except test photos can judge them: low, high, unknown",
    ]


def test_several_seeds_give_two_more_columns_and_teachers_one(tmp_path: Path) -> None:
    figure = {"value": 0.9, "low": 0.8, "high": 0.95}
    seeds = {"seeds_mean": 0.85, "seeds_std": 0.02}
    scores = {
        name: {"out_of_fold": {"photos": 10, **dict.fromkeys(METRICS, figure | more)}}
        for name, more in [("one", {}), ("three", seeds)]
    }
    board(tmp_path, scores, "accuracy", teachers={"three": ["one", "other"]})
    found = pd.read_csv(tmp_path / "leaderboard.csv").set_index("experiment")
    for metric in METRICS:
        columns = [f"out_of_fold_{metric}_seeds_mean", f"out_of_fold_{metric}_seeds_std"]
        assert list(found.loc["three", columns]) == [0.85, 0.02]
        assert found.loc["one", columns].isna().all()
    assert list(found.teachers.fillna("")) == ["", "one other"]


def test_equals_keep_the_order_of_the_config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(FIGURES, "third", FIGURES["first"])
    assert list(ranked(tmp_path, "accuracy", {"out_of_fold"}).experiment) == ["first", "third", "second"]


def test_what_was_scored_before_is_compared_where_it_fits_and_nothing_is_lost(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "podium")
    before = {  # of each, from the first on: epochs, photos, accuracy
        "fits": [(12, "photos", 0.9), (6, "photos", 0.7), (9, "photos", 0.8)],
        "other settings": [(12, "photos", 0.99)],
        "other photos": [(12, "older", 0.98), (12, "old", 0.97)],
    }
    digests = {}
    for name, lines in before.items():
        (tmp_path / name).mkdir()
        for epochs, photos, value in lines:
            line = history.Scored({"train": {"epochs": epochs}}, photos, {"out_of_fold": figures(value)})
            history.add(tmp_path / name / "scored.jsonl", line)
            digests.setdefault(name, []).append(line.digest)
    # Scored while this run was under way: for the next one, so that the same run gives the same bytes.
    late = history.Scored({"train": {"epochs": 99}}, "photos", {"out_of_fold": figures(1.0)})
    history.add(tmp_path / "fits/scored.jsonl", late)
    scores = {"now": {"out_of_fold": figures(0.75)}}
    found = board(tmp_path, scores, "accuracy", others=digests, fitting=["fits", "other photos"])
    assert list(found.experiment) == ["fits", "now"]
    assert list(found.out_of_fold_accuracy) == [0.8, 0.75]
    kept = pd.read_csv(tmp_path / "history.csv", keep_default_na=False)
    assert kept[["experiment", "changed", "compared", "out_of_fold_accuracy"]].to_numpy().tolist() == [
        ["now", "", True, 0.75],
        ["fits", "", False, 0.9],
        ["fits", "train.epochs: 12 -> 6", False, 0.7],
        ["fits", "train.epochs: 6 -> 9", True, 0.8],
        ["other settings", "", False, 0.99],
        ["other photos", "", False, 0.98],
        ["other photos", "other photos, labels or splits", False, 0.97],
    ]
    left_out = [message for message in caplog.messages if "not compared" in message]
    assert [message.partition(" is")[0] for message in left_out] == ["other settings", "other photos"]
