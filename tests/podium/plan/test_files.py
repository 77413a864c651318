"""The files that each rule reads."""

import os
from pathlib import Path
from typing import Any

import pytest
from conftest import embeddings, ensemble, job, pets, plan, with_folds, without_validation

from podium.plan.plan import Plan
from podium.plan.settings import ConfigError

pytestmark = pytest.mark.usefixtures("project")


def test_an_archive_on_kaggle_is_no_file(project: Path) -> None:
    pets(project, archive="kaggle:cats")
    assert plan().archive_file("pets") == []
    assert plan().archive_state("pets") == ""


def test_a_pupil_reads_what_its_teachers_fits_predicted_who_left_out_the_same(project: Path) -> None:
    def change(config: dict[str, Any], folds: int = 0) -> None:
        config["run"] = ["pupil"]
        config["defaults"]["folds"] = folds
        config["experiments"] = {
            "pupil": {"train": {"network": "cnn", "teachers": ["linear", "cnn"], "sharpness": 3.0}},
            "linear": {"train": {"seeds": [1, 2]}},
            "cnn": {"train": {"network": "cnn"}},
        }

    def files(one: Plan, fit: str) -> tuple[list[str], list[str]]:
        wildcards = job(experiment="pupil", fit=fit)
        found = [path.removeprefix("results/pets/") for path in one.teachers(wildcards)]
        return found, [Path(path).stem for path in one.photos("train", wildcards)]

    def predictions(fit: str) -> list[str]:
        return [f"{name}-{fit}/predictions.npy" for name in ("linear/seed1", "linear/seed2", "cnn/seed0")]

    one = plan(change)
    assert files(one, "seed0-all") == (predictions("all"), ["train-0", "validation-0", "test-0"])
    folds = plan(lambda config: change(config, 4))
    assert files(folds, "seed0-fold3") == (predictions("fold3"), ["train-0", "validation-0", "test-0"])
    assert one.settings("train", job(experiment="pupil"))["sharpness"] == 3
    assert one.teachers(job(experiment="cnn")) == []
    assert one.photos("train", job(experiment="cnn")) == ["data/pets/224px/train-0.npy"]
    without_validation(project)
    one = plan(change)
    assert files(one, "seed0-all") == (predictions("all"), ["train-0", "test-0"])
    assert files(one, "seed0-fold0") == (predictions("fold0"), ["train-0"])  # only the fold left out was predicted


def test_a_fit_on_pixels_reads_the_photos_that_it_is_measured_on(project: Path) -> None:
    """Those of its fold are among the training photos; with none left out it is the validation table."""

    def parts(one: Plan, experiment: str, fit: str) -> list[str]:
        return [Path(path).stem for path in one.photos("train", job(experiment=experiment, fit=fit))]

    one = plan(lambda config: config["index"].update(shards=2))
    both = ["train-0", "train-1", "validation-0", "validation-1"]
    assert parts(one, "finetune", "seed0-all") == parts(one, "cnn", "seed0-all") == both
    assert parts(one, "cnn", "seed0-fold1") == parts(one, "linear", "seed0-all") == ["train-0", "train-1"]
    without_validation(project)
    assert parts(plan(), "finetune", "seed0-all") == parts(plan(), "finetune", "seed0-fold0") == ["train-0"]


def test_robustness_takes_the_fits_and_the_photos_that_judge(project: Path) -> None:
    def asked(one: Plan) -> tuple[list[str], list[str], list[int]]:
        models = [path.removeprefix("results/pets/linear/") for path in one.models(job())]
        parts = [Path(path).stem for path in one.judging(job())]
        return models, parts, one.settings("robustness", job())["left_out"]

    assert asked(plan(with_folds(0))) == (["seed0-all/fitted.keras"], ["validation-0"], [-1])
    folds = [f"seed0-fold{fold}/fitted.keras" for fold in range(2)]
    assert asked(plan(with_folds(2))) == (folds, ["validation-0"], [0, 1])
    without_validation(project)
    assert asked(plan(with_folds(0))) == (["seed0-fold0/fitted.keras"], ["train-0"], [0])
    assert asked(plan(with_folds(2))) == (folds, ["train-0"], [0, 1])
    with pytest.raises(ConfigError, match="mix: an ensemble has no model"):
        plan(ensemble("cnn", "linear")).models(job(experiment="mix"))


def test_the_curves_are_those_of_all_fits_and_an_ensemble_has_none(project: Path) -> None:
    without_validation(project)
    one = plan(with_folds(0, 4, 5))
    names = ["seed4-all", "seed4-fold0", "seed5-all", "seed5-fold0"]
    assert one.histories(job()) == [f"results/pets/linear/{name}/history.csv" for name in names]
    assert one.settings("curves", job()) == {"names": names, "title": "linear on pets"}
    with pytest.raises(ConfigError, match="mix: an ensemble has no learning curves; ask for one of its members"):
        plan(ensemble("cnn", "linear")).histories(job(experiment="mix"))


def test_each_network_reads_its_own_kind_of_files_in_the_index_s_order() -> None:
    two = plan(lambda config: config["index"].update(shards=2))
    to_train, to_predict = "plain+zoom-flip+crop-1+crop-2", "plain+zoom-flip"
    assert two.photos("train", job()) == embeddings(f"{to_train}/train-0", f"{to_train}/train-1")
    rest = [f"{to_predict}/{split}-{shard}" for split in ("validation", "test") for shard in (0, 1)]
    assert two.photos("predict", job()) == embeddings(f"{to_train}/train-0", f"{to_train}/train-1", *rest)
    pixels = [f"data/pets/224px/train-{shard}.npy" for shard in (0, 1)]
    assert two.photos("train", job(experiment="cnn")) == pixels
    embedded = plan().settings("embed", job(backbone="efficientnet_lite0", views=to_predict))
    assert embedded["views"] == ["plain", "zoom-flip"]


WEIGHTS = {
    "imagenet": ("mobilenet_v2", "imagenet", []),
    "none": ("mobilenet_v2", "none", []),
    "a file": ("mobilenet_v2", "mine.h5", ["mine.h5"]),
    "another file": ("mobilenet_v2", "more/mine.keras", ["more/mine.keras"]),
    "a folder": ("saved_model", "hub", ["hub/saved_model.pb", "hub/variables/variables.index"]),
    "a handle": ("saved_model", "kaggle:google/mobilenet-v2/tensorFlow2/1", []),
}


def test_weights_are_inputs_of_what_reads_them_and_each_have_a_folder_of_embeddings(project: Path) -> None:
    for _, _, files in WEIGHTS.values():
        for file in files:
            (project / file).parent.mkdir(parents=True, exist_ok=True)
            (project / file).write_bytes(b"")
    (project / "imagenet").mkdir()
    (project / "imagenet/cat.jpg").write_bytes(b"")
    folders = set()
    for backbone, weights, files in WEIGHTS.values():
        chosen = {"backbone": backbone, "weights": weights}
        one = plan(lambda config, chosen=chosen: config["experiments"]["linear"].update(chosen))
        folder = one.photos("train", job())[0].split("/")[3]
        folders.add(folder)
        embed, by_folder = job(backbone=folder, views="plain"), job(experiment="linear")
        assert one.settings("embed", embed).items() >= chosen.items()
        assert one.settings("train", by_folder)["options"].items() >= chosen.items()
        assert one.weights(embed) == one.weights(by_folder) == files
        assert one.weights(job(experiment="cnn")) == []
    assert len(folders) == len(WEIGHTS)
    with pytest.raises(ConfigError, match="no experiment has embeddings in a folder 'vgg16'"):
        plan().settings("embed", job(backbone="vgg16", views="plain"))


def test_a_home_folder_is_found(monkeypatch: pytest.MonkeyPatch, project: Path) -> None:
    monkeypatch.setenv("HOME", str(project))
    (project / "mine.h5").write_bytes(b"")
    chosen = {"backbone": "vgg16", "weights": "~/mine.h5"}
    one = plan(lambda config: config["experiments"]["linear"].update(chosen))
    assert one.weights(job()) == [one.settings("train", job())["options"]["weights"]] == [str(project / "mine.h5")]


@pytest.mark.parametrize(
    ("views", "files"),
    [
        (["plain"], ["plain+zoom-flip+crop-1+crop-2/train-0", "plain/validation-0", "plain/test-0"]),
        (
            ["plain", "flip"],
            ["plain+zoom-flip+crop-1+crop-2/train-0", "flip/train-0", "plain+flip/validation-0", "plain+flip/test-0"],
        ),
        (["flip"], ["flip/train-0", "flip/validation-0", "flip/test-0"]),
    ],
)
def test_other_views_to_predict_leave_the_files_to_train_on_alone(views: list[str], files: list[str]) -> None:
    changed = plan(lambda config: config["defaults"]["predict"].update(views=views))
    assert changed.photos("predict", job()) == embeddings(*files)
    assert changed.photos("train", job()) == plan().photos("train", job())


def test_a_folder_is_tracked_by_what_is_in_it(project: Path) -> None:
    (project / "photos/a").mkdir(parents=True)
    pets(project, archive="photos")
    before = plan().archive_state("pets")
    assert plan().archive_state("pets") == before
    (project / "photos/a/new.jpg").write_bytes(b"x")
    assert plan().archive_state("pets") != before


def test_weights_of_one_s_own_are_tracked_by_what_is_in_them(project: Path) -> None:
    def state(weights: Path | str) -> str:
        own = {"backbone": "resnet50", "weights": str(weights)}
        return plan(lambda config: config["experiments"]["linear"].update(own)).weights_state(job())

    path = project / "own.h5"
    path.write_bytes(b"x")
    before = state(path)
    os.utime(path, (1, 1))
    assert state(path) == before != state("imagenet") == ""
    path.write_bytes(b"y")
    assert state(path) not in (before, "")


def test_an_archive_that_was_brought_counts_only_with_its_digest(project: Path) -> None:
    pets(project)
    (project / "data/pets").mkdir(parents=True)
    for name in ("source.zip", "source.zip.sha256"):
        with pytest.raises(ConfigError, match=r"pets\.yaml: archive: bring it with"):
            plan()
        (project / "data/pets" / name).write_bytes(b"")
    assert plan().archive_file("pets") == ["data/pets/source.zip.archive"]
    assert plan().archive_state("pets") == ""
