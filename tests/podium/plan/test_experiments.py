"""The fits of an experiment, and the photos that judge them."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from conftest import TABLES, embeddings, ensemble, job, plan, with_folds, without_validation

from podium.plan.plan import Plan
from podium.plan.settings import ConfigError

pytestmark = pytest.mark.usefixtures("project")


def fits(one: Plan, experiment: str = "linear") -> list[str]:
    """The fits of an experiment, by the names of their folders."""
    return [path.split("/")[3] for path in one.fits(job(experiment=experiment))]


def labelled_test(project: Path) -> None:
    """Makes `pets` a competition without a validation table, whose test photos have labels."""
    idx = {split: {"images": split, "labels": split} for split in ("train", "test")}
    (project / "config/competitions/pets.yaml").write_text(yaml.safe_dump({"archive": "pets.zip", "idx": idx}))


def not_held_out(count: int, *seeds: int) -> Callable[[dict[str, Any]], object]:
    def change(config: dict[str, Any]) -> None:
        with_folds(count, *seeds)(config)
        config["defaults"]["held_out"] = False

    return change


def test_a_labelled_validation_part_of_any_layout_judges(project: Path) -> None:
    idx = {split: {"images": split, "labels": split} for split in ("train", "validation", "test")}
    (project / "config/competitions/pets.yaml").write_text(yaml.safe_dump({"archive": "pets.zip", "idx": idx}))
    assert fits(plan(with_folds(0))) == ["seed0-all"]
    assert plan(with_folds(0)).settings("predict", job(fit="seed0-all"))["splits"] == ["validation", "test"]
    del idx["validation"]
    (project / "config/competitions/pets.yaml").write_text(yaml.safe_dump({"archive": "pets.zip", "idx": idx}))
    assert fits(plan(with_folds(0))) == ["seed0-all", "seed0-fold0"]


JUDGED = ("validation", "test")


def test_each_fold_is_left_out_by_one_fit_of_each_seed() -> None:
    assert plan(with_folds(2)).fits(job()) == [
        f"results/pets/linear/seed0-fold{fold}/predictions.npy" for fold in range(2)
    ]
    assert fits(plan(with_folds(2, 7, 3))) == ["seed7-fold0", "seed7-fold1", "seed3-fold0", "seed3-fold1"]
    settings = plan(with_folds(2, 7, 3)).settings("train", job(fit="seed3-fold1"))
    assert (settings["seed"], settings["fold"], settings["options"]["backbone"]) == (3, 1, "efficientnet_lite0")
    predicted = plan(with_folds(2)).settings("predict", job(fit="seed3-fold1"))
    assert (predicted["fold"], predicted["splits"]) == (1, ["train", "validation", "test"])
    assert plan(with_folds(2, 7, 3)).settings("evaluate", job())["seeds"] == [7, 3]


def test_without_folds_one_fit_of_all_photos_predicts_the_others() -> None:
    one = plan(with_folds(0))
    assert fits(one) == ["seed0-all"]
    assert fits(plan(with_folds(0, 4, 5))) == ["seed4-all", "seed5-all"]
    assert one.settings("train", job(fit="seed0-all"))["fold"] is None
    predicted = one.settings("predict", job(fit="seed0-all"))
    assert (predicted["fold"], predicted["splits"]) == (None, ["validation", "test"])
    files = one.photos("predict", job(fit="seed0-all"))
    assert files == embeddings(*(f"plain+zoom-flip/{split}-0" for split in JUDGED))
    assert one.folds(job()) == "data/pets/folds5.csv"


def test_without_folds_and_without_a_validation_table_a_fold_is_held_out_beside(project: Path) -> None:
    without_validation(project)
    one = plan(with_folds(0))
    assert fits(one) == ["seed0-all", "seed0-fold0"]
    assert fits(plan(with_folds(0, 1, 2))) == ["seed1-all", "seed1-fold0", "seed2-all", "seed2-fold0"]
    assert one.settings("predict", job(fit="seed0-all"))["splits"] == ["test"]
    held_out = one.settings("predict", job(fit="seed0-fold0"))
    assert (held_out["fold"], held_out["splits"]) == (0, ["train"])
    assert one.photos("predict", job(fit="seed0-fold0")) == embeddings("plain+zoom-flip+crop-1+crop-2/train-0")
    assert one.settings("train", job(fit="seed0-fold0"))["fold"] == 0
    assert fits(plan(with_folds(3))) == ["seed0-fold0", "seed0-fold1", "seed0-fold2"]


def test_nothing_is_held_out_beside_where_the_test_photos_say_the_score(project: Path) -> None:
    assert fits(plan(not_held_out(0))) == fits(plan(with_folds(0))) == ["seed0-all"]
    assert plan(not_held_out(0)).settings("robustness", job())["split"] == "validation"
    labelled_test(project)
    assert fits(plan(with_folds(0, 1, 2))) == ["seed1-all", "seed1-fold0", "seed2-all", "seed2-fold0"]
    one = plan(not_held_out(0, 1, 2))
    assert fits(one) == ["seed1-all", "seed2-all"]
    assert one.settings("predict", job(fit="seed1-all"))["splits"] == ["test"]
    assert one.models(job()) == [f"results/pets/linear/seed{seed}-all/fitted.keras" for seed in (1, 2)]
    assert one.judging(job()) == ["data/pets/224px/test-0.npy"]
    asked = one.settings("robustness", job())
    assert (asked["split"], asked["left_out"]) == ("test", [-1, -1])
    assert fits(plan(not_held_out(2))) == ["seed0-fold0", "seed0-fold1"]
    assert plan(not_held_out(2)).settings("robustness", job())["split"] == "train"


def test_members_of_one_yardstick_only(project: Path) -> None:
    """A validation table measures all alike; without one, folds of another number hold other photos."""

    def mixed(config: dict[str, Any]) -> None:
        ensemble("linear", "finetune")(config)
        config["experiments"]["finetune"]["folds"] = 0

    assert plan(mixed).members(job(experiment="mix"))
    without_validation(project)
    assert plan(ensemble("linear", "cnn")).members(job(experiment="mix"))
    with pytest.raises(ConfigError) as refused:
        plan(mixed)
    message = "ensembles.mix: without a validation table, members must have the same folds (linear 5, finetune 0)"
    assert message in str(refused.value)
    assert "\n" not in str(refused.value)


def unlabelled(name: str) -> dict[str, Any]:
    """A competition of this layout whose test photos have no labels as far as its file says."""
    idx = {"train": {"images": "a", "labels": "b"}, "test": {"images": "c"}}
    tables = {split: table for split, table in TABLES.items() if split != "validation"}
    return {"archive": "pets.zip", name: {"tables": tables, "idx": idx}[name]}


@pytest.mark.parametrize("layout", ["tables", "idx"])
def test_an_experiment_that_nothing_could_judge_is_refused_in_one_line(project: Path, layout: str) -> None:
    (project / "config/competitions/pets.yaml").write_text(yaml.safe_dump(unlabelled(layout)))
    with pytest.raises(ConfigError) as refused:
        plan(not_held_out(0))
    message = "experiments.linear.held_out: false leaves no photos to judge by, since no test photo has a label"
    assert str(refused.value) == f"podium: config/config.yaml: {message}"
    assert fits(plan(not_held_out(2))) == ["seed0-fold0", "seed0-fold1"]
    assert fits(plan(with_folds(0))) == ["seed0-all", "seed0-fold0"]


TFRECORD = {"train": "*", "image": "image", "label": "label"}


@pytest.mark.parametrize(
    "layout",
    [
        {"folders": {"path": "", "holdout": 0.2, "seed": 0}},
        {"cifar": {"train": ["a"], "test": ["b"], "label_bytes": 1}},
        {"tfrecord": {**TFRECORD, "holdout": 0.2, "seed": 0}},
        {"tfrecord": {**TFRECORD, "test": "*"}},  # only the records know
    ],
)
def test_test_photos_of_other_layouts_may_judge_alone(project: Path, layout: dict[str, Any]) -> None:
    (project / "config/competitions/pets.yaml").write_text(yaml.safe_dump({"archive": "pets.zip", **layout}))
    assert fits(plan(not_held_out(0))) == ["seed0-all"]


def test_members_and_teachers_hold_out_the_same(project: Path) -> None:
    """Only where there is neither a fold nor a validation table does it matter."""

    def change(config: dict[str, Any], experiment: str = "mix", folds: int = 0) -> None:
        config["run"] = [experiment]
        config["defaults"]["folds"] = folds
        config["experiments"] = {
            "pupil": {"train": {"network": "cnn", "teachers": ["other"]}},
            "other": {"held_out": False, "train": {"network": "cnn"}},
            "usual": {"train": {"network": "cnn"}},
        }
        config["ensembles"] = {"mix": ["usual", "other"]}

    assert plan(change).members(job(experiment="mix"))
    labelled_test(project)
    wrong = {
        "mix": "ensembles.mix: without a validation table, members must have the same folds (usual 0, other 0 ",
        "pupil": "experiments.pupil.train.teachers: a teacher must have the same folds ('other' 0 ",
    }
    for name, message in wrong.items():
        assert plan(lambda config, name=name: change(config, name, folds=3))
        with pytest.raises(ConfigError) as refused:
            plan(lambda config, name=name: change(config, name))
        assert str(refused.value).startswith(f"podium: config/config.yaml: {message}")
        assert "without held_out" in str(refused.value)
        assert "\n" not in str(refused.value)
