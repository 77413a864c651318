"""What each kind of edit of a finished project runs again, and what it leaves as it is."""

import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from conftest import ARCHIVE, EXPERIMENTS, TABLES, competition, edit, jobs, scheduled, snakemake

from podium import machine


def of(experiment: str, *rules: str) -> set[str]:
    return {f"{rule} {experiment}" for rule in rules}


BLENDED = ("calibrate", "decide", "evaluate", "submit")
AFTER = (*BLENDED, "finish")
FIT = ("train", "curves", "predict", "pool", *AFTER)
BOARD = {"leaderboard"}
BLEND = of("both", "blend", *BLENDED) | BOARD
LINEAR, CNN, PUPIL = of("linear", *FIT) | BLEND, of("cnn", *FIT) | BLEND, of("pupil", *FIT) | BOARD
HEADS, CNNS = LINEAR | of("whole", *FIT) | PUPIL, CNN | PUPIL
FITS = HEADS | CNN
PREDICTIONS = FITS - {f"{rule} {name}" for rule in ("train", "curves") for name in ("linear", "cnn", "whole")}
FIGURES = BLEND.union(*(of(name, *AFTER) for name in EXPERIMENTS if name != "both"))
SUBMISSIONS = {f"submit {name}" for name in EXPERIMENTS}
DATA = {"index", "ask", "split", "pack", "preprocess", "embed"}
CONFIG, COMPETITION, PODIUM = "config/config.yaml", "config/competitions/pets.yaml", "workflow/scripts/podium"
CHANGE = "\n\nANOTHER = 1\n"


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
    "cnn epochs": (CONFIG, network("cnn", epochs=4), CNNS),
    "balance": (CONFIG, default("train", balance=1.0), FITS),
    "sharpness": (CONFIG, default("train", sharpness=1.0), PUPIL),
    "another seed": (CONFIG, default("train", seeds=[1]), FITS),
    "fold count": (CONFIG, top("defaults", folds=3), LINEAR | CNN | {"split"}),
    "fold seed": (CONFIG, top("split", seed=1), FITS | {"split"}),
    "size": (CONFIG, experiment("linear", size=48), LINEAR | {"preprocess", "embed"}),
    "other weights": (CONFIG, experiment("linear", backbone="mobilenet_v2", weights="none"), LINEAR | {"embed"}),
    "precision": (CONFIG, top("device", precision="float16"), FITS | {"embed"}),
    "deterministic": (CONFIG, top("device", deterministic=True), FITS),
    "members": (CONFIG, top("ensembles", both=["cnn", "linear"]), BLEND),
    "another member": (CONFIG, top("ensembles", both=["linear", "cnn", "whole"]), BLEND),
    "how squares are made": (CONFIG, top("preprocess", fit="pad"), FITS | {"preprocess", "embed"}),
    "the range of values": (CONFIG, top("index", range=[0, 4095]), FITS | DATA),
    "the largest photo": (CONFIG, top("index", max_megapixels=400), FITS | DATA),
    "shards": (CONFIG, top("index", shards=2), FITS | DATA),
    "form": (COMPETITION, lambda facts: facts["submission"].update(form="top", top=2), SUBMISSIONS | {"ask"}),
    "task": (COMPETITION, lambda facts: facts.update(task="multilabel", metric="samples_f1"), FITS | DATA),
    "metric": (COMPETITION, lambda facts: facts.update(metric="accuracy"), FITS | {"ask"}),
    "how many decimals": (
        COMPETITION,
        lambda facts: facts.update(submission={"form": "probabilities", "decimals": 3}),
        SUBMISSIONS | {"ask"},
    ),
    "photos of no class": (COMPETITION, lambda facts: facts.update(classification={"unknown": "coffee"}), FITS | DATA),
    "what to run": (COMPETITION, lambda facts: facts.update(run=["cnn"]), BOARD),
    "whose ids": (COMPETITION, lambda facts: facts["submission"].update(ids="test"), SUBMISSIONS | {"ask"}),
    "no sample": (COMPETITION, lambda facts: facts["submission"].pop("sample"), SUBMISSIONS | {"ask"}),
    "what to unpack": (COMPETITION, lambda facts: facts.update(unpack=["train.zip"]), FITS | DATA | {"download"}),
    "groups": (COMPETITION, lambda facts: facts["tables"]["train"].update(group="file"), FITS | DATA),
    "a table of groups": (
        COMPETITION,
        lambda facts: facts["tables"].update(groups={"path": "test.csv", "id": "file", "group": "file"}),
        FITS | DATA,
    ),
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


def test_fits_on_more_gpus_are_other_fits(finished: tuple[Path, str]) -> None:
    project, _ = finished
    before = (project / CONFIG).read_text()
    edit(project / CONFIG, top("device", gpus=2))
    try:
        assert scheduled(project, *ARCHIVE, "--resources", "gpu=2") == CNNS
        assert "device.gpus: a fit on 2 needs --resources gpu=2" in snakemake(project, "-n", *ARCHIVE, fails=True)
    finally:
        (project / CONFIG).write_text(before)


# What nothing in the run reads.
UNUSED = (
    network("finetune", epochs=4),
    top("defaults", held_out=False),
    top("device", threads=1),
    top("device", precision=machine.fastest()),
    top("device", gpu_memory=1024),
    default("robustness", noise=[0.3]),
    top("ensembles", more=["linear", "cnn"]),
    top("experiments", other={"size": 32}),
)


def test_settings_that_touch_nothing_rerun_nothing(finished: tuple[Path, str]) -> None:
    project, _ = finished
    before = (project / CONFIG).read_text()
    for change in UNUSED:
        edit(project / CONFIG, change)
    try:
        assert scheduled(project) == set()
    finally:
        (project / CONFIG).write_text(before)


def test_another_order_of_a_competition_s_keys_reruns_nothing(finished: tuple[Path, str]) -> None:
    path = finished[0] / "config/competitions/pets.yaml"
    before = path.read_text()

    def turned(settings: Any) -> Any:
        return {key: turned(settings[key]) for key in reversed(settings)} if isinstance(settings, dict) else settings

    try:
        path.write_text(yaml.safe_dump(turned(yaml.safe_load(before)), sort_keys=False))
        assert path.read_text() != before
        assert scheduled(finished[0], *ARCHIVE) == set()
    finally:
        path.write_text(before)


def test_what_the_command_line_says_again_reruns_nothing(finished: tuple[Path, str]) -> None:
    project, _ = finished
    again = ("index={shards: 1}", "defaults={folds: 2, train: {head: {penalties: [30, 10, 3, 1]}, cnn: {width: 8}}}")
    assert scheduled(project, *ARCHIVE, *again) == set()


CODE = {
    "../decide.py": FIGURES - {f"{rule} {name}" for rule in ("blend", "calibrate") for name in EXPERIMENTS},
    "tasks/classification.py": FITS | DATA,
    "predictions/scores.py": BOARD.union(*(of(name, "evaluate", "submit") for name in EXPERIMENTS)),
    "predictions/yardsticks.py": FIGURES,
    "predictions/temperature.py": FIGURES,
    "predictions/evidence.py": FIGURES,
    "tasks/deciding.py": FITS | DATA,
    "tasks/links.py": FITS | DATA,
    "networks/cnn.py": CNNS,
    "networks/__init__.py": FITS,
    "networks/head.py": HEADS,
    "networks/training.py": CNNS,
    "networks/augmentation.py": CNNS,
    "device.py": FITS | {"embed"},
    "backbones/efficientnet_lite.py": HEADS | {"embed"},
    "photos/records.py": FITS | {"pack", "preprocess", "embed"},
    "photos/images.py": FITS | DATA,
    "archives/layouts/tables.py": FITS | DATA,
    "archives/kaggle.py": FITS | DATA | {"download"},
}


@pytest.mark.parametrize(("module", "expected"), CODE.items(), ids=CODE)
def test_changed_code_reruns_its_users(finished: tuple[Path, str], module: str, expected: set[str]) -> None:
    project, _ = finished
    path = project / PODIUM / module
    before = path.read_text()
    try:
        path.write_text(before + CHANGE)
        assert scheduled(project) == expected
    finally:
        path.write_text(before)


# What no step of the run imports.
STRANGERS = ("plan/plan.py", "plan/config.py", "plan/settings.py", "backbones/folding.py", "networks/depthwise.py")
STRANGERS += ("networks/finetune.py", "backbones/keras_applications.py", "backbones/saved_model.py")
STRANGERS += ("archives/layouts/folders.py", "tasks/multilabel.py", "tasks/ordinal.py", "tasks/regression.py")
STRANGERS += ("begin/draft.py", "begin/target.py")


def test_comments_everywhere_and_code_that_no_step_imports_rerun_nothing(finished: tuple[Path, str]) -> None:
    project, _ = finished
    modules = sorted((project / "workflow/scripts").rglob("*.py"))
    before = {path: path.read_text() for path in modules}
    strangers = {project / PODIUM / name for name in STRANGERS}
    assert strangers < set(modules)
    try:
        for path, text in before.items():
            commented = text.replace('"""', '"""Once more: ', 1) + "\n\n# A comment.\n"
            path.write_text(commented + (CHANGE if path in strangers else ""))
        assert scheduled(project) == set()
    finally:
        for path, text in before.items():
            path.write_text(text)


def test_one_more_seed_trains_that_seed_alone(finished: tuple[Path, str]) -> None:
    project, _ = finished
    before = (project / CONFIG).read_text()
    edit(project / CONFIG, default("train", seeds=[0, 5]))
    try:
        found = jobs(project)
    finally:
        (project / CONFIG).write_text(before)
    fits = {("linear", f"seed5-fold{fold}") for fold in range(2)} | {("cnn", f"seed5-fold{fold}") for fold in range(2)}
    # The pupil learns from both seeds of its teacher.
    fits |= {("whole", "seed5-all"), ("pupil", "seed0-all"), ("pupil", "seed5-all")}
    for rule in ("train", "predict"):
        assert {(w["experiment"], w["fit"]) for name, w in found if name == rule} == fits
    rest = {f"{name} {w.get('experiment', '')}".strip() for name, w in found if name not in ("train", "predict", "all")}
    assert rest == {job for job in FITS if job.split()[0] not in ("train", "predict")}


# Notes each file that Snakemake, or the plan in its process, reads to compare its content.
COUNTING = """
import hashlib, os, sys
file_digest = hashlib.file_digest

def counted(file, *algorithm):
    if "snakemake.cli" in sys.modules:
        with open(os.environ["COMPARED"], "a") as out:
            out.write(f"{os.path.relpath(file.name)}\\n")
    return file_digest(file, *algorithm)

hashlib.file_digest = counted
"""


def compared(project: Path, folder: Path, *arguments: str) -> list[str]:
    """The files that a run reads to compare them, as often as it reads each, but for what its steps read."""
    (folder / "sitecustomize.py").write_text(COUNTING)
    (folder / "compared").write_text("")
    snakemake(project, *arguments, *ARCHIVE, COMPARED=str(folder / "compared"), PYTHONPATH=str(folder))
    return (folder / "compared").read_text().splitlines()


def touch(project: Path) -> None:
    """Turns the times of all files around, so that every input is newer than what was made of it."""
    paths = [project / name for name in ("Snakefile", "pets.zip", "requirements.lock")]
    for folder in ("config", "workflow", "data", "profiles", "results"):
        paths += (project / folder).rglob("*")
    now = time.time()
    for age, path in enumerate(sorted(paths, key=lambda path: path.stat().st_mtime_ns)):
        os.utime(path, (now - age / 100,) * 2)


def test_touching_files_reruns_nothing_and_only_small_ones_are_read(finished: tuple[Path, str], tmp_path: Path) -> None:
    project, _ = finished
    touch(project)
    read = compared(project, tmp_path, "--dry-run")
    assert scheduled(project) == set()
    # The archive is the user's own: nothing but its content says whether it is another one.
    assert read.count("pets.zip") == 1
    assert len(read) == len(set(read))
    assert [path for path in read if (project / f"{path}.sha256").exists()] == []
    assert "pets.zip" not in compared(project, tmp_path, "--dry-run")


def test_a_job_that_ends_has_its_small_inputs_read_and_no_large_one(finished: tuple[Path, str], tmp_path: Path) -> None:
    project, _ = finished
    read = compared(project, tmp_path, "--force", "data/pets/asked.json", "data/pets/folds2.csv")
    inputs = {"ask": 5, "split": 2}  # without source.zip
    once_for_each_output = sum(2 * count for count in inputs.values())
    assert (
        once_for_each_output <= len(read) <= once_for_each_output + len(set(read))
    )  # and once to find out what to run
    assert (
        max((project / path).stat().st_size for path in read)
        < 10**6
        < (project / "data/pets/source.zip").stat().st_size
    )
    assert scheduled(project) == set()  # since the same was written again


def test_another_archive_in_the_same_place_is_read(finished: tuple[Path, str]) -> None:
    project, _ = finished
    path = project / "pets.zip"
    before = path.read_bytes()
    try:
        path.write_bytes(before + b"another comment")
        assert scheduled(project) >= {"download", "index", "pack"}
    finally:
        path.write_bytes(before)
    assert scheduled(project) == set()


def test_what_is_deleted_is_made_again_with_its_digest(finished: tuple[Path, str]) -> None:
    project, _ = finished
    wanted = ("data/pets/folds2.csv", "data/pets/folds2.csv.sha256")
    before = [(project / name).read_bytes() for name in wanted]
    for name in wanted:
        (project / name).rename(project / "elsewhere")
        assert scheduled(project, *wanted, *ARCHIVE) == {"split"}
        (project / "elsewhere").rename(project / name)
    (project / wanted[0]).unlink()
    snakemake(project, *wanted, *ARCHIVE)
    assert [(project / name).read_bytes() for name in wanted] == before


def test_touching_a_folder_of_photos_reruns_nothing(finished: tuple[Path, str]) -> None:
    project, _ = finished
    folder = project / "photos"
    for name, content in competition(train=2, validation=2, test=1).items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    (project / "config/competitions/folder.yaml").write_text(yaml.safe_dump({"tables": TABLES}))
    given = ("data/folder/index.csv", "--config", "competition=folder", "archive=photos")
    snakemake(project, *given)
    for path in folder.rglob("*"):
        os.utime(path, (time.time() + 10,) * 2)
    assert scheduled(project, *given) == set()
    (folder / "train/ch0.jpg").write_bytes(b"another")
    assert scheduled(project, *given) == {"download", "index"}


def test_an_archive_that_has_been_read_may_go(finished: tuple[Path, str]) -> None:
    project, _ = finished
    (project / "pets.zip").rename(project / "elsewhere.zip")
    try:
        assert scheduled(project, "--config", "competition=pets") == set()
        said = snakemake(project, "--dry-run", *ARCHIVE, fails=True)
        assert "archive: no file or folder at pets.zip; leave it out to go on with data/pets/source.zip" in said
    finally:
        (project / "elsewhere.zip").rename(project / "pets.zip")


def test_a_dry_run_ends_with_what_has_changed_and_says_the_table_once(finished: tuple[Path, str]) -> None:
    project, _ = finished
    module, config = project / PODIUM / "predictions/scores.py", project / CONFIG
    before = module.read_text(), config.read_text()
    try:
        module.write_text(before[0] + CHANGE)
        edit(config, lambda content: content["experiments"]["whole"].update(predict={"views": ["plain"]}))
        edit(config, lambda content: content["experiments"]["linear"].update(folds=3))
        said = snakemake(project, "--dry-run", *ARCHIVE)
    finally:
        module.write_text(before[0])
        config.write_text(before[1])
    *_, below = said.partition("What has changed since these files were made:\n")
    assert sorted(below.splitlines()) == [
        "    code of evaluate changed",
        "    folds of linear: 2 -> 3",
        "    predict.views of whole: [plain, zoom-flip] -> [plain]",
    ]
    assert said.count("Job stats:") == 1
