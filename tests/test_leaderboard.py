import json
import logging
from pathlib import Path

import pandas as pd
import pytest

from leaderboard import leaderboard
from podium.scores import METRICS
from podium.tables import read_csv

FIGURES = {  # accuracy, macro F1 and log loss on each yardstick
    "first": {"out_of_fold": (0.9, 0.5, 0.4), "validation": (0.6, 0.6, 1.0), "test": (0.9, 0.9, 0.1)},
    "second": {"out_of_fold": (0.8, 0.7, 0.3), "validation": (0.7, 0.5, 2.0), "test": (0.1, 0.1, 0.9)},
    "third": {"out_of_fold": (0.7, 0.6, 0.5), "validation": (0.8, 0.4, 0.9), "test": (0.2, 0.2, 0.8)},
}


def ranked(folder: Path, metric: str, yardsticks: set[str]) -> pd.DataFrame:
    """The leaderboard by this metric of the figures on these yardsticks."""
    paths = []
    for experiment, figures in FIGURES.items():
        scores = {
            yardstick: {"photos": 10}
            | {name: {"value": v, "low": v - 0.01, "high": v + 0.02} for name, v in zip(METRICS, values, strict=True)}
            for yardstick, values in figures.items()
            if yardstick in yardsticks
        }
        paths.append(folder / f"{experiment}.json")
        paths[-1].write_text(json.dumps(scores))
    leaderboard(paths, folder / "leaderboard.csv", experiments=list(FIGURES), teachers={}, metric=metric)
    return read_csv(folder / "leaderboard.csv")


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
    paths = []
    for name, (yardstick, value) in reached.items():
        figures = {metric: {"value": value, "low": value, "high": value} for metric in METRICS}
        paths.append(tmp_path / f"{name}.json")
        paths[-1].write_text(json.dumps({yardstick: {"photos": 10, **figures}}))
    leaderboard(paths, tmp_path / "leaderboard.csv", experiments=list(reached), teachers={}, metric="accuracy")
    found = read_csv(tmp_path / "leaderboard.csv")
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
    paths = []
    for name, values in reached.items():
        figures = {
            yardstick: {"photos": 10, **{metric: {"value": v, "low": v, "high": v} for metric in METRICS}}
            for yardstick, v in values.items()
        }
        paths.append(tmp_path / f"{name}.json")
        paths[-1].write_text(json.dumps(figures))
    leaderboard(paths, tmp_path / "leaderboard.csv", experiments=list(reached), teachers={}, metric="accuracy")
    found = pd.read_csv(tmp_path / "leaderboard.csv", keep_default_na=False).set_index("experiment")
    assert list(found.index) == ["folds", "low", "high", "unknown"]
    assert list(found.judged_by) == ["out_of_fold", "", "", ""]
    assert list(found.test_accuracy.astype(str)) == ["0.3", "0.5", "0.9", ""]
    assert caplog.messages == [
        "best by out_of_fold_accuracy: folds, 0.4000",
        "not ranked, since no photo but the test photos judges them: low, high, unknown",
    ]


def test_several_seeds_give_two_more_columns_and_teachers_one(tmp_path: Path) -> None:
    figure = {"value": 0.9, "low": 0.8, "high": 0.95}
    seeds = {"seeds_mean": 0.85, "seeds_std": 0.02}
    for name, more in [("one", {}), ("three", seeds)]:
        scores = {"out_of_fold": {"photos": 10, **dict.fromkeys(METRICS, figure | more)}}
        (tmp_path / f"{name}.json").write_text(json.dumps(scores))
    paths = [tmp_path / "one.json", tmp_path / "three.json"]
    taught = {"three": ["one", "other"]}
    leaderboard(paths, tmp_path / "leaderboard.csv", experiments=["one", "three"], teachers=taught, metric="accuracy")
    found = pd.read_csv(tmp_path / "leaderboard.csv").set_index("experiment")
    for metric in METRICS:
        columns = [f"out_of_fold_{metric}_seeds_mean", f"out_of_fold_{metric}_seeds_std"]
        assert list(found.loc["three", columns]) == [0.85, 0.02]
        assert found.loc["one", columns].isna().all()
    assert list(found.teachers.fillna("")) == ["", "one other"]


def test_equals_keep_the_order_of_the_config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(FIGURES, "third", FIGURES["first"])
    assert list(ranked(tmp_path, "accuracy", {"out_of_fold"}).experiment) == ["first", "third", "second"]
