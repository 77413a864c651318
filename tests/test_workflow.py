"""The whole workflow on real photos: what it delivers, what it says, and what each kind of edit runs again."""

import csv
import datetime
import io
import json
import os
import re
import shutil
import struct
import tarfile
import time
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml
from conftest import SUBJECTS, TABLES, Kaggle, competition, copy_project, photo, snakemake, write_zip

from podium import images
from podium.tables import Predictions

RESULTS = Path("results/pets")
ARCHIVE = ("--config", "competition=pets", "archive=pets.zip")
EXPERIMENTS = ("linear", "cnn", "whole", "both")


def edit(path: Path, change: Callable[[dict], object]) -> None:
    """Changes a YAML file."""
    content = yaml.safe_load(path.read_text())
    change(content)
    path.write_text(yaml.safe_dump(content))


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """A finished run on 32 photos, of which one training and one test file are broken.

    Both small networks in folds, one of them on all photos too, and a blend.
    """
    project = copy_project(tmp_path_factory.mktemp("project"))
    members = competition(train=8, validation=2, test=2)
    members["train/co3.jpg"] = members["train/co3.jpg"][:900]
    members["test/te201.jpg"] = b""
    write_zip(project / "pets.zip", members)
    facts = {"metric": "macro_f1", "tables": TABLES, "submission": {"sample": "sample_submission.csv"}}
    (project / "config/competitions/pets.yaml").write_text(yaml.safe_dump({**facts, "run": list(EXPERIMENTS)}))

    def shrink(config: dict) -> None:
        config["defaults"] |= {"size": 64, "folds": 2}
        config["defaults"]["robustness"] |= {"noise": [0.4], "blur": [], "jpeg": [10], "brightness": []}
        config["defaults"]["train"]["cnn"] |= {"epochs": 3, "width": 8, "batch": 8}
        config["experiments"]["linear"]["size"] = 64
        config["experiments"]["whole"] = {"folds": 0, "train": {"network": "head"}}
        config["ensembles"]["both"] = ["linear", "cnn"]

    edit(project / "config/config.yaml", shrink)
    return project, snakemake(project, "--cores", "all", *ARCHIVE)


def test_the_submission_is_what_the_sample_asks_for(finished: tuple[Path, str]) -> None:
    project, _ = finished
    for experiment in EXPERIMENTS:
        with (project / RESULTS / experiment / "submission.csv").open(newline="") as file:
            header, *rows = list(csv.reader(file))
        assert header == ["file", "label"]
        assert [row[0] for row in rows] == [f"{name[:2]}{number}.jpg" for number in (200, 201) for name in SUBJECTS]
        assert {row[1] for row in rows} <= set(SUBJECTS)


def test_frozen_features_tell_real_subjects_apart(finished: tuple[Path, str]) -> None:
    """Crops of four photos are easy: figures that are much lower mean that photos and labels were mixed up."""
    project, _ = finished
    scores = json.loads((project / RESULTS / "linear/scores.json").read_text())
    assert scores["out_of_fold"]["photos"] == 31
    assert scores["validation"]["photos"] == 8
    for yardstick in scores.values():
        assert yardstick["accuracy"]["value"] > 0.9


def test_broken_photos_lose_nothing_else(finished: tuple[Path, str]) -> None:
    project, said = finished
    broken = pd.read_csv(project / "data/pets/quarantine.csv")
    assert sorted(broken.file) == ["test/te201.jpg", "train/co3.jpg"]
    assert "WARNING: 1 test photos" in said
    found = Predictions.read(project / RESULTS / "linear/pooled.csv").of("test")
    prior = found.probabilities[found.keys.id == "te201.jpg"][0]
    np.testing.assert_allclose(prior, [(7 if name == "coffee" else 8) / 31 for name in SUBJECTS], atol=1e-6)


def test_out_of_fold_rows_stand_once_and_test_rows_are_the_folds_mean(finished: tuple[Path, str]) -> None:
    project, _ = finished
    pooled = Predictions.read(project / RESULTS / "cnn/pooled.csv")
    folds = [Predictions.read(project / RESULTS / f"cnn/seed0-fold{fold}/predictions.csv") for fold in range(2)]
    index = pd.read_csv(project / "data/pets/index.csv")
    assert list(pooled.of("train").keys.id) == list(index.id[index.split == "train"])
    assert sorted(pooled.of("train").keys.id) == sorted([*folds[0].of("train").keys.id, *folds[1].of("train").keys.id])
    mean = (folds[0].of("validation").probabilities + folds[1].of("validation").probabilities) / 2
    np.testing.assert_allclose(pooled.of("validation").probabilities, mean, atol=1e-6)


def test_one_fit_of_all_photos_is_judged_by_the_validation_table(finished: tuple[Path, str]) -> None:
    project, _ = finished
    folder = project / RESULTS / "whole"
    assert sorted(path.name for path in folder.glob("seed*")) == ["seed0-all"]
    assert sorted(path.name for path in (folder / "seed0-all").iterdir()) == [
        "events.out.tfevents.history",
        "history.csv",
        "model.keras",
        "predictions.csv",
    ]
    assert set(Predictions.read(folder / "predictions.csv").keys.split) == {"validation", "test"}
    scores = json.loads((folder / "scores.json").read_text())
    assert {yardstick: figures["photos"] for yardstick, figures in scores.items()} == {"validation": 8}
    assert scores["validation"]["accuracy"]["value"] > 0.9
    board = pd.read_csv(project / RESULTS / "leaderboard.csv").set_index("experiment")
    assert set(board.index) == set(EXPERIMENTS)
    assert set(board.judged_by) == {"validation"}
    assert board.loc["whole", "validation_accuracy"] == scores["validation"]["accuracy"]["value"]


def test_a_blend_is_the_weighted_mean_of_its_members(finished: tuple[Path, str]) -> None:
    project, _ = finished
    weights = pd.read_csv(project / RESULTS / "both/weights.csv")
    assert list(weights.experiment) == ["linear", "cnn"]
    assert weights.weight.sum() == pytest.approx(1)
    members = [Predictions.read(project / RESULTS / f"{name}/predictions.csv") for name in weights.experiment]
    found = Predictions.read(project / RESULTS / "both/pooled.csv")
    by_hand = sum(weight * each.of("test").probabilities for weight, each in zip(weights.weight, members, strict=True))
    np.testing.assert_allclose(found.of("test").probabilities, by_hand, atol=1e-6)
    scores = json.loads((project / RESULTS / "both/scores.json").read_text())
    assert {yardstick: figures["photos"] for yardstick, figures in scores.items()} == {
        "out_of_fold": 31,
        "validation": 8,
    }


def test_calibration_changes_how_sure_predictions_are_and_not_what_they_say(finished: tuple[Path, str]) -> None:
    project, _ = finished
    for experiment in EXPERIMENTS:
        folder = project / RESULTS / experiment
        before, after = (Predictions.read(folder / name) for name in ("pooled.csv", "predictions.csv"))
        assert after.keys.equals(before.keys)
        np.testing.assert_array_equal(after.probabilities.argmax(1), before.probabilities.argmax(1))
        found = json.loads((folder / "calibration.json").read_text())
        assert (found["yardstick"], found["photos"]) == ("validation", 8)


def test_a_person_can_follow_the_run(finished: tuple[Path, str]) -> None:
    project, said = finished
    assert re.search(
        r"\[embed pets 64 efficientnet_lite0 plain\+zoom-flip\+crop-1\+crop-2 train-0\] 124 of 124 photos, [\d,]+/s",
        said,
    )
    assert "steps (100%) done" in said
    assert "oneDNN" not in said
    assert "Traceback" not in said
    *_, first, second, third, fourth, board, lost = said.rstrip().splitlines()
    for line in (first, second, third, fourth):
        assert re.match(
            r"results/pets/(linear|cnn|both|whole)/submission.csv   macro f1 [\d.]+ .* on the validation photos", line
        )
    assert board.startswith("results/pets/leaderboard.csv")
    assert lost == "data/pets/quarantine.csv   WARNING: 1 test photos could not be read and got the training prior"
    jobs = int(re.findall(r"^total +(\d+)", said, re.M)[0])
    assert len(list((project / "logs").rglob("*.log"))) == jobs - 1  # `all` does nothing
    assert "peak memory" in (project / "logs/pets/index.log").read_text()


def test_two_runs_write_the_same_bytes(finished: tuple[Path, str]) -> None:
    project, _ = finished
    files = [
        path for folder in ("data/pets", "results/pets") for path in (project / folder).rglob("*") if path.is_file()
    ]
    before = {path: path.read_bytes() for path in files}
    snakemake(project, "--cores", "all", "--forceall", *ARCHIVE)
    assert [str(path) for path in files if path.read_bytes() != before[path]] == []


def jobs(project: Path, *arguments: str) -> list[tuple[str, dict[str, str]]]:
    """The rules and wildcards of a dry run."""
    said = snakemake(project, "--quiet", "host", "--dry-run", *(arguments or ARCHIVE))
    found = []
    for rule, body in re.findall(r"^(?:local)?rule (\w+):\n((?:    .*\n)+)", said, re.M):
        wildcards = re.search(r"^    wildcards: (.*)$", body, re.M)
        pairs = wildcards[1].split(", ") if wildcards else []
        found.append((rule, dict(pair.split("=", 1) for pair in pairs)))
    return found


def scheduled(project: Path, *arguments: str) -> set[str]:
    """The jobs of a dry run, as `rule` or `rule experiment`."""
    named = [f"{rule} {wildcards.get('experiment', '')}".strip() for rule, wildcards in jobs(project, *arguments)]
    return set(named) - {"all"}


def of(experiment: str, *rules: str) -> set[str]:
    return {f"{rule} {experiment}" for rule in rules}


AFTER = ("calibrate", "evaluate", "submit")
FIT = ("train", "predict", "pool", *AFTER)
BOARD = {"leaderboard"}
BLEND = of("both", "blend", *AFTER) | BOARD
LINEAR, CNN = of("linear", *FIT) | BLEND, of("cnn", *FIT) | BLEND
HEADS = LINEAR | of("whole", *FIT)
FITS = HEADS | CNN
PREDICTIONS = FITS - {"train linear", "train cnn", "train whole"}
FIGURES = BLEND | of("linear", *AFTER) | of("cnn", *AFTER) | of("whole", *AFTER)
SUBMISSIONS = {f"submit {name}" for name in EXPERIMENTS}
DATA = {"index", "ask", "split", "pack", "preprocess", "embed"}
CONFIG, COMPETITION, PODIUM = "config/config.yaml", "config/competitions/pets.yaml", "workflow/scripts/podium"


def default(block: str, **settings: object) -> Callable[[dict], object]:
    return lambda config: config["defaults"][block].update(settings)


def network(name: str, **settings: object) -> Callable[[dict], object]:
    return lambda config: config["defaults"]["train"][name].update(settings)


def experiment(name: str, **settings: object) -> Callable[[dict], object]:
    return lambda config: config["experiments"][name].update(settings)


def top(block: str, **settings: object) -> Callable[[dict], object]:
    return lambda config: config[block].update(settings)


SETTINGS = {
    "fewer views to predict": (CONFIG, default("predict", views=["plain"]), PREDICTIONS | {"embed"}),
    "another view to predict": (CONFIG, default("predict", views=["plain", "flip"]), PREDICTIONS | {"embed"}),
    "head penalties": (CONFIG, network("head", penalties=[30]), HEADS),
    "cnn epochs": (CONFIG, network("cnn", epochs=4), CNN),
    "finetune epochs": (CONFIG, network("finetune", epochs=4), set()),
    "another seed": (CONFIG, default("train", seeds=[1]), FITS),
    "fold count": (CONFIG, top("defaults", folds=3), LINEAR | CNN | {"split"}),
    "fold seed": (CONFIG, top("split", seed=1), FITS | {"split"}),
    "size": (CONFIG, experiment("linear", size=48), LINEAR | {"preprocess", "embed"}),
    "other weights": (CONFIG, experiment("linear", backbone="mobilenet_v2", weights="none"), LINEAR | {"embed"}),
    "precision": (CONFIG, top("device", precision="float32"), FITS | {"embed"}),
    "deterministic": (CONFIG, top("device", deterministic=True), FITS),
    "threads": (CONFIG, top("device", threads=1), set()),
    "GPU memory": (CONFIG, top("device", gpu_memory=1024), set()),
    "robustness": (CONFIG, default("robustness", noise=[0.3]), set()),
    "members": (CONFIG, top("ensembles", both=["cnn", "linear"]), BLEND),
    "another member": (CONFIG, top("ensembles", both=["linear", "cnn", "whole"]), BLEND),
    "another ensemble": (CONFIG, top("ensembles", more=["linear", "cnn"]), set()),
    "shards": (CONFIG, top("index", shards=2), FITS | DATA),
    "another experiment": (CONFIG, top("experiments", more={"size": 32}), set()),
    "form": (COMPETITION, lambda facts: facts["submission"].update(form="top", top=2), SUBMISSIONS | {"ask"}),
    "metric": (COMPETITION, lambda facts: facts.update(metric="accuracy"), BOARD),
    "what to run": (COMPETITION, lambda facts: facts.update(run=["cnn"]), BOARD),
    "whose ids": (COMPETITION, lambda facts: facts["submission"].update(ids="test"), SUBMISSIONS | {"ask"}),
    "no sample": (COMPETITION, lambda facts: facts["submission"].pop("sample"), SUBMISSIONS | {"ask"}),
    "a column": (COMPETITION, lambda facts: facts["tables"]["train"].update(label="file"), FITS | DATA),
}


@pytest.mark.parametrize(("name", "change", "expected"), SETTINGS.values(), ids=SETTINGS)
def test_a_changed_setting_reruns_only_what_it_touches(
    finished: tuple[Path, str], name: str, change: Callable[[dict], object], expected: set[str]
) -> None:
    project, _ = finished
    before = (project / name).read_text()
    edit(project / name, change)
    try:
        assert scheduled(project) == expected
    finally:
        (project / name).write_text(before)


CODE = {
    "scores.py": FIGURES,
    "yardsticks.py": FIGURES,
    "networks/cnn.py": CNN,
    "networks/head.py": HEADS,
    "networks/finetune.py": set[str](),
    "depthwise.py": set[str](),
    "training.py": CNN,
    "device.py": FITS | {"embed"},
    "backbones/efficientnet_lite.py": HEADS | {"embed"},
    "backbones/keras_applications.py": set[str](),
    "backbones/saved_model.py": set[str](),
    "folding.py": set[str](),
    "records.py": FITS | {"pack", "preprocess", "embed"},
    "images.py": FITS | DATA,
    "layouts/tables.py": FITS | DATA,
    "layouts/folders.py": set[str](),
    "kaggle.py": FITS | DATA | {"download"},
    "plan.py": set[str](),
    "config.py": set[str](),
    "settings.py": set[str](),
}


@pytest.mark.parametrize(("module", "expected"), CODE.items(), ids=CODE)
def test_changed_code_reruns_its_users_and_a_comment_nothing(
    finished: tuple[Path, str], module: str, expected: set[str]
) -> None:
    project, _ = finished
    path = project / PODIUM / module
    before = path.read_text()
    try:
        path.write_text(before.replace('"""', '"""Once more: ', 1) + "\n\n# A comment.\n")
        assert scheduled(project) == set()
        path.write_text(before + "\n\nANOTHER = 1\n")
        assert scheduled(project) == expected
    finally:
        path.write_text(before)


def test_one_more_seed_trains_that_seed_alone(finished: tuple[Path, str]) -> None:
    project, _ = finished
    before = (project / CONFIG).read_text()
    edit(project / CONFIG, default("train", seeds=[0, 5]))
    try:
        found = jobs(project)
    finally:
        (project / CONFIG).write_text(before)
    fits = {("linear", f"seed5-fold{fold}") for fold in range(2)} | {("cnn", f"seed5-fold{fold}") for fold in range(2)}
    for rule in ("train", "predict"):
        assert {(w["experiment"], w["fit"]) for name, w in found if name == rule} == fits | {("whole", "seed5-all")}
    rest = {f"{name} {w.get('experiment', '')}".strip() for name, w in found if name not in ("train", "predict", "all")}
    assert rest == {job for job in FITS if job.split()[0] not in ("train", "predict")}


def test_a_pupil_trains_on_what_its_teachers_label_and_every_page_says_so(finished: tuple[Path, str]) -> None:
    project, _ = finished
    before = (project / CONFIG).read_text()
    pupil = {"train": {"network": "cnn", "teachers": ["cnn"], "cnn": {"dropout": 0.1}}}
    edit(project / CONFIG, top("experiments", pupil=pupil))
    given = (*ARCHIVE, "run=[pupil]")
    try:
        said = snakemake(project, "--cores", "all", *given)
        assert "pupil/submission.csv   macro f1" in said
        assert "; also trained on photos without labels, as cnn label them" in said
        board = pd.read_csv(project / RESULTS / "leaderboard.csv")
        assert list(board.teachers) == ["cnn"]
        # Half of 31 readable photos are left out; behind the other half stand these, 8 validation and 7 test photos.
        folds = pd.read_csv(project / "data/pets/folds2.csv").fold
        for fold in range(2):
            log = (project / f"logs/pets/pupil/train-seed0-fold{fold}.log").read_text()
            assert f"trains also on {(folds == fold).sum() + 8 + 7} photos that its teachers label" in log
        edit(project / CONFIG, default("train", sharpness=1.0))
        assert scheduled(project, *given) == of("pupil", *FIT) | BOARD
        assert scheduled(project) == BOARD  # of the others' own run
    finally:
        (project / CONFIG).write_text(before)
        snakemake(project, "--cores", "all", *ARCHIVE)


def test_robustness_is_measured_where_it_is_asked_for(finished: tuple[Path, str]) -> None:
    project, _ = finished
    said = snakemake(project, "--cores", "all", str(RESULTS / "linear/robustness.csv"), *ARCHIVE)
    assert "[robustness pets linear] none 0: accuracy " in said
    found = pd.read_csv(project / RESULTS / "linear/robustness.csv").set_index(["corruption", "level"])
    board = pd.read_csv(project / RESULTS / "leaderboard.csv").set_index("experiment")
    assert found.accuracy["none", 0] == pytest.approx(board.validation_accuracy["linear"])
    assert set(found.index) == {("none", 0), ("noise", 0.4), ("jpeg", 10)}
    refused = snakemake(project, "--dry-run", str(RESULTS / "both/robustness.csv"), *ARCHIVE, fails=True)
    assert "podium: both: an ensemble has no model; ask for one of its members" in refused


def test_a_zip_is_made_anew_for_another_attempt_alone(finished: tuple[Path, str]) -> None:
    project, _ = finished
    before = (project / COMPETITION).read_text(), (project / CONFIG).read_text()
    zipped = {"file": "{day:%d-%m-%y}_{attempt}.csv", "attempts": 3}
    edit(project / COMPETITION, lambda facts: facts["submission"].update(zip=zipped))
    wanted = ("results/pets/cnn/The Cats.zip", *ARCHIVE, "team=The Cats", "day=2019-03-13")
    try:
        snakemake(project, *wanted, "attempt=2")
        assert scheduled(project, *wanted, "attempt=2") == set()
        assert scheduled(project, *wanted, "attempt=3") == {"submit cnn"}
        refused = snakemake(project, "--dry-run", *wanted, "attempt=4", fails=True)
        # What the command line says may stand in config.yaml, where YAML reads the day as a date.
        said = {"team": "The Cats", "day": datetime.date(2019, 3, 13), "attempt": 2}
        edit(project / CONFIG, lambda config: config.update(said))
        assert scheduled(project, *wanted[:3]) == set()
    finally:
        (project / COMPETITION).write_text(before[0])
        (project / CONFIG).write_text(before[1])
    assert "podium: attempt: 4 is more than the 3 a day that config/competitions/pets.yaml: submission.zip" in refused
    with zipfile.ZipFile(project / wanted[0]) as archive:
        assert archive.namelist() == ["13-03-19_2.csv"]
        assert archive.read("13-03-19_2.csv") == (project / RESULTS / "cnn/submission.csv").read_bytes()


def test_a_submission_is_sent_once_and_only_when_it_is_asked_for(
    finished: tuple[Path, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    project, _ = finished
    before = (project / COMPETITION).read_text()
    fake = Kaggle(tmp_path / "bin", scored=True)
    monkeypatch.setenv("PATH", str(fake.folder), prepend=":")
    edit(project / COMPETITION, lambda facts: facts.update(archive="kaggle:pets"))
    try:
        assert scheduled(project) == set()
        for _ in range(2):
            said = snakemake(project, "send", *ARCHIVE, "run=[cnn]")
            assert "[upload pets cnn] SubmissionStatus.COMPLETE, public score 0.875" in said
        (fake.folder / "token").unlink()
        said = snakemake(project, "results/pets/cnn/sent.csv", *ARCHIVE, fails=True)
        assert "[upload pets cnn] error: kaggle:pets: submissions: no token: make one at https://www.kaggle.com" in said
        assert "Traceback" not in said
        assert scheduled(project) == set()
    finally:
        (project / COMPETITION).write_text(before)
    assert [call[1] for call in fake.calls()].count("submit") == 1
    assert (fake.folder / "sent.bytes").read_bytes() == (project / RESULTS / "cnn/submission.csv").read_bytes()
    sent = pd.read_csv(project / RESULTS / "cnn/sent.csv")
    assert sent.publicScore.to_list() == [0.875]


def test_an_export_is_made_when_it_is_asked_for_and_once(finished: tuple[Path, str]) -> None:
    project, _ = finished
    wanted = (str(RESULTS / "cnn/seed0-fold0/served"), *ARCHIVE)
    assert scheduled(project, *wanted) == {"export cnn"}
    snakemake(project, *wanted)
    assert scheduled(project, *wanted) == set()
    assert (project / RESULTS / "cnn/seed0-fold0/served/1/saved_model.pb").is_file()
    assert (project / RESULTS / "cnn/seed0-fold0/model.weights.h5").is_file()


def test_touching_files_reruns_nothing(finished: tuple[Path, str]) -> None:
    project, _ = finished
    later = time.time() + 10
    for folder in ("config", "workflow", "data", "profiles"):
        for path in (project / folder).rglob("*"):
            os.utime(path, (later, later))
    for name in ("Snakefile", "pets.zip", "requirements.lock"):
        os.utime(project / name, (later, later))
    assert scheduled(project) == set()


def test_touching_a_folder_of_photos_reruns_nothing(finished: tuple[Path, str]) -> None:
    project, _ = finished
    folder = project / "folder"
    for name, content in competition(train=2, validation=2, test=1).items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    given = ("data/pets/index.csv", "--config", "competition=pets", "archive=folder")
    (project / "data/pets").rename(project / "data/kept")
    try:
        snakemake(project, *given)
        for path in folder.rglob("*"):
            os.utime(path, (time.time() + 10,) * 2)
        assert scheduled(project, *given) == set()
        (folder / "train/ch0.jpg").write_bytes(b"another")
        assert scheduled(project, *given) == {"download", "index"}
    finally:
        shutil.rmtree(project / "data/pets")
        (project / "data/kept").rename(project / "data/pets")


def test_an_archive_that_has_been_read_may_go(finished: tuple[Path, str]) -> None:
    project, _ = finished
    (project / "pets.zip").rename(project / "elsewhere.zip")
    try:
        assert scheduled(project, "--config", "competition=pets") == set()
        said = snakemake(project, "--dry-run", *ARCHIVE, fails=True)
        assert "archive: no file or folder at pets.zip; leave it out to go on with data/pets/source.zip" in said
    finally:
        (project / "elsewhere.zip").rename(project / "pets.zip")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--config", "competition=digit"), "no file config/competitions/digit.yaml (did you mean 'digits'?)"),
        (("--config", "competition=grocery"), "bring it with --config competition=grocery archive=PATH_OR_URL"),
        (("--config", "epoch=3"), "config/config.yaml: unknown key 'epoch'"),
        (("--config", "run=[linea]"), "no experiment 'linea' (did you mean 'linear'?)"),
        (
            ("--config", "run=[mix]", "ensembles={mix: [cnn, finetune]}"),
            "ensembles.mix: without a validation table, members need the same folds (cnn 4, finetune 0)",
        ),
        (("send",), "podium: config/competitions/digits.yaml: archive: only to a kaggle:NAME can anything be sent"),
        (
            ("--config", "team=cats", "day=2019-03-13", "attempt=1"),
            "podium: config/competitions/digits.yaml: submission.zip is missing",
        ),
        (("results/digits/cnn/submission.tsv",), "podium: submission.tsv: the submission of digits is submission.csv"),
        (("results/digits/linea/submission.csv",), "podium: no experiment 'linea' (did you mean 'linear'?)"),
    ],
)  # fmt: skip
def test_a_wrong_command_is_answered_in_one_line(
    finished: tuple[Path, str], arguments: tuple[str, ...], message: str
) -> None:
    project, _ = finished
    said = snakemake(project, "--dry-run", *arguments, fails=True)
    assert any(message in line for line in said.splitlines())
    assert "Traceback" not in said


def test_a_wrong_table_stops_before_any_work_in_one_line(finished: tuple[Path, str], tmp_path: Path) -> None:
    project, _ = finished
    members = competition(train=2)
    members["train.csv"] += b"nowhere.jpg,coffee\n"
    archive = write_zip(tmp_path / "broken.zip", members)
    (project / "config/competitions/broken.yaml").write_text(yaml.safe_dump({"tables": TABLES}))
    said = snakemake(project, "--config", "competition=broken", f"archive={archive}", fails=True)
    line = next(line for line in said.splitlines() if "error" in line)
    assert line.startswith("[index broken] error: train.csv: line 10: 'train/nowhere.jpg' is not in the archive")
    assert "Traceback" not in said
    assert not (project / "data/broken/index.csv").exists()


def test_a_sample_or_a_form_that_does_not_fit_stops_before_photos_are_decoded(finished: tuple[Path, str]) -> None:
    project, _ = finished
    # The validation table in the place of the sample asks for other photos than the test table has.
    wrong = {
        ("validation.csv", "labels"): "line 2: 'ch100.jpg' is not an id of test.csv, whose first is 'ch200.jpg'",
        ("sample_submission.csv", "probabilities"): "line 1: 'label' is not a label of the training photos",
    }
    for (sample, form), message in wrong.items():
        facts = {"tables": TABLES, "submission": {"sample": sample, "form": form}}
        (project / "config/competitions/misfit.yaml").write_text(yaml.safe_dump(facts))
        given = ("--cores", "1", "--config", "competition=misfit", "archive=pets.zip", "run=[cnn]")
        said = snakemake(project, *given, fails=True)
        assert [line for line in said.splitlines() if "error:" in line] == [f"[ask misfit] error: {sample}: {message}"]
        found = {path.name for path in (project / "data/misfit").iterdir()}
        assert found == {"source.zip", "index.csv", "quarantine.csv"}
        assert not (project / "results/misfit").exists()


def test_class_folders_are_held_out_scored_and_submitted(finished: tuple[Path, str], tmp_path: Path) -> None:
    """The layout of the flower photos, from a small archive; the held-out photos are scored too."""
    project, _ = finished
    with tarfile.open(tmp_path / "flowers.tgz", "w:gz") as tar:
        photos = {name: content for name, content in competition(train=8).items() if name.startswith("train/")}
        members = {f"{Path(name).name[:2]}/{Path(name).name}": content for name, content in photos.items()}
        for name, content in {"LICENSE.txt": b"free", **members}.items():
            member = tarfile.TarInfo(f"flower_photos/{name}")
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    wanted = ["results/flowers/linear/submission.csv", "results/flowers/linear/scores.json"]
    wanted += ["results/flowers/whole/submission.csv", "results/flowers/whole/scores.json"]
    snakemake(project, *wanted, "--config", "competition=flowers", f"archive={tmp_path / 'flowers.tgz'}")
    submission = pd.read_csv(project / wanted[0])
    assert list(submission.columns) == ["id", "label"]
    scores = json.loads((project / wanted[1]).read_text())
    assert {yardstick: figures["photos"] for yardstick, figures in scores.items()} == {
        "out_of_fold": 24,
        "test": len(submission),
    }
    # A fit of all photos, and one beside it that leaves a fifth of them out as a yardstick.
    folds = pd.read_csv(project / "data/flowers/folds5.csv")
    scores = json.loads((project / wanted[3]).read_text())
    assert {yardstick: figures["photos"] for yardstick, figures in scores.items()} == {
        "held_out": (folds.fold == 0).sum(),
        "test": len(submission),
    }
    assert sorted(path.name for path in (project / wanted[3]).parent.glob("seed*")) == ["seed0-all", "seed0-fold0"]


def test_images_of_idx_files_are_learned_from_and_their_test_labels_judge(finished: tuple[Path, str]) -> None:
    project, _ = finished
    members: dict[str, bytes] = {}
    for split, first, last in (("train", 0, 8), ("test", 200, 203)):
        photos = [photo(name, number, 32) for number in range(first, last) for name in SUBJECTS]
        pixels = np.stack([images.decode(data, 32) for data in photos])
        labels = bytes(number % 4 for number in range(len(photos)))
        members[f"{split}-images"] = b"\0\0\x08\4" + struct.pack(">4I", *pixels.shape) + pixels.tobytes()
        members[f"{split}-labels"] = b"\0\0\x08\1" + struct.pack(">I", len(labels)) + labels
    write_zip(project / "idx.zip", members)
    idx = {split: {"images": f"{split}-images", "labels": f"{split}-labels"} for split in ("train", "test")}
    facts = {"idx": {**idx, "classes": list(SUBJECTS)}, "archive": "idx.zip", "run": ["linear"]}
    (project / "config/competitions/idx.yaml").write_text(yaml.safe_dump(facts))
    snakemake(project, "--config", "competition=idx")
    submission = pd.read_csv(project / "results/idx/linear/submission.csv", dtype=str)
    assert list(submission.id) == [str(number) for number in range(12)]
    right = (submission.label == [*SUBJECTS] * 3).mean()
    scores = json.loads((project / "results/idx/linear/scores.json").read_text())
    assert {yardstick: figures["photos"] for yardstick, figures in scores.items()} == {"out_of_fold": 32, "test": 12}
    assert scores["test"]["accuracy"]["value"] == right > 0.9
