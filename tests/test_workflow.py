"""The whole workflow on real photos: what it delivers and what it says."""

import csv
import datetime
import io
import json
import re
import struct
import tarfile
import zipfile
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml
from conftest import (
    ARCHIVE,
    EXPERIMENTS,
    RESULTS,
    SUBJECTS,
    TABLES,
    Kaggle,
    competition,
    edit,
    photo,
    scheduled,
    snakemake,
    write_zip,
)

from podium import machine
from podium.photos import images
from podium.plan.resources import CLAIMS
from podium.predictions.stored import Predictions

CONFIG, COMPETITION = Path("config/config.yaml"), Path("config/competitions/pets.yaml")


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
    found = Predictions.read(project / RESULTS / "linear/pooled.npy").of("test")
    prior = found[found.keys.id == "te201.jpg"][0]
    np.testing.assert_allclose(prior, [(7 if name == "coffee" else 8) / 31 for name in SUBJECTS], atol=1e-6)


def test_out_of_fold_rows_stand_once_and_test_rows_are_the_folds_mean(finished: tuple[Path, str]) -> None:
    project, _ = finished
    pooled = Predictions.read(project / RESULTS / "cnn/pooled.npy")
    folds = [Predictions.read(project / RESULTS / f"cnn/seed0-fold{fold}/predictions.npy") for fold in range(2)]
    index = pd.read_csv(project / "data/pets/index.csv")
    assert list(pooled.of("train").keys.id) == list(index.id[index.split == "train"])
    assert sorted(pooled.of("train").keys.id) == sorted([*folds[0].of("train").keys.id, *folds[1].of("train").keys.id])
    mean = (folds[0].of("validation")[:] + folds[1].of("validation")[:]) / 2
    np.testing.assert_allclose(pooled.of("validation")[:], mean, atol=1e-6)


def test_one_fit_of_all_photos_is_judged_by_the_validation_table(finished: tuple[Path, str]) -> None:
    project, _ = finished
    folder = project / RESULTS / "whole"
    assert sorted(path.name for path in folder.glob("seed*")) == ["seed0-all"]
    assert sorted(path.name for path in (folder / "seed0-all").iterdir()) == [
        "events.out.tfevents.history",
        "fitted.keras",
        "fitted.keras.sha256",
        "history.csv",
        "model.keras",
        "model.keras.sha256",
        "one_view.npy",
        "one_view.npy.sha256",
        "predictions.npy",
        "predictions.npy.sha256",
    ]
    assert set(Predictions.read(folder / "predictions.npy").keys.split) == {"validation", "test"}
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
    members = [Predictions.read(project / RESULTS / f"{name}/predictions.npy") for name in weights.experiment]
    found = Predictions.read(project / RESULTS / "both/pooled.npy")
    by_hand = sum(weight * each.of("test")[:] for weight, each in zip(weights.weight, members, strict=True))
    np.testing.assert_allclose(found.of("test")[:], by_hand, atol=1e-6)
    scores = json.loads((project / RESULTS / "both/scores.json").read_text())
    assert {yardstick: figures["photos"] for yardstick, figures in scores.items()} == {
        "out_of_fold": 31,
        "validation": 8,
    }


def test_calibration_changes_how_sure_predictions_are_and_not_what_they_say(finished: tuple[Path, str]) -> None:
    project, _ = finished
    for experiment in EXPERIMENTS:
        folder = project / RESULTS / experiment
        before, after = (Predictions.read(folder / name) for name in ("pooled.npy", "predictions.npy"))
        assert after.keys.equals(before.keys)
        np.testing.assert_array_equal(after[:].argmax(1), before[:].argmax(1))
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
    *_, board, lost = lines = said.rstrip().splitlines()
    for line in lines[-2 - len(EXPERIMENTS) : -2]:
        name = re.match(r"results/pets/(\w+)/submission.csv   macro f1 [\d.]+ .* on the validation photos", line)
        assert name and name[1] in EXPERIMENTS
    assert board.startswith("results/pets/leaderboard.csv")
    warning = "test photos cannot be read and got the training photos' label frequencies"
    assert lost == f"data/pets/quarantine.csv   WARNING: 1 {warning}"
    jobs = int(re.findall(r"^total +(\d+)", said, re.M)[0])
    assert len(list((project / "logs/pets").rglob("*.log"))) == jobs - 1  # `all` does nothing
    assert "peak memory" in (project / "logs/pets/index.log").read_text()


def test_each_experiment_has_its_learning_curves_and_a_blend_has_none(finished: tuple[Path, str]) -> None:
    project, _ = finished
    fits = {"linear": 2, "cnn": 2, "whole": 1, "pupil": 1}
    assert {path.parent.name for path in (project / RESULTS).rglob("curves.png")} == {*fits}
    for experiment, count in fits.items():
        assert f"{count} fits" in (project / f"logs/pets/{experiment}/curves.log").read_text()
    refused = snakemake(project, "--dry-run", str(RESULTS / "both/curves.png"), *ARCHIVE, fails=True)
    assert "podium: both: an ensemble has no learning curves; ask for one of its members" in refused


@pytest.mark.slow
def test_two_runs_write_the_same_bytes(finished: tuple[Path, str]) -> None:
    project, _ = finished
    files = [
        path for folder in ("data/pets", "results/pets") for path in (project / folder).rglob("*") if path.is_file()
    ]
    before = {path: path.read_bytes() for path in files}
    # Both kinds of networks, and what is made of their predictions.
    again = [str(RESULTS / name) for name in ("both/submission.csv", "both/scores.json", "cnn/scores.json")]
    snakemake(project, "--forceall", *again, *ARCHIVE)
    assert [str(path) for path in files if path.read_bytes() != before[path]] == []


def test_a_pupil_trains_on_what_its_teacher_labels_and_every_page_says_so(finished: tuple[Path, str]) -> None:
    project, said = finished
    (line,) = (line for line in said.splitlines() if "pupil/submission.csv   macro f1" in line)
    assert line.endswith("; also trained on photos without labels, as whole label them")
    board = pd.read_csv(project / RESULTS / "leaderboard.csv", keep_default_na=False).set_index("experiment")
    assert dict(board.teachers[board.teachers != ""]) == {"pupil": "whole"}
    log = (project / "logs/pets/pupil/train-seed0-all.log").read_text()
    assert (
        f"also trains on {8 + 7} photos with its teachers' pseudo-labels" in log
    )  # the validation and the readable test photos


@pytest.mark.slow
def test_however_many_parts_the_photos_are_cut_into_predictions_and_submission_are_the_same(
    finished: tuple[Path, str],
) -> None:
    """A head that is fitted on random crops, and a network on pixels."""
    project, _ = finished
    facts = yaml.safe_load((project / COMPETITION).read_text())
    cut = project / "config/competitions/cut.yaml"
    cut.write_text(yaml.safe_dump({**facts, "index": {"shards": 3}}))
    names = [f"{name}/{file}" for name in ("whole", "cnn") for file in ("predictions.npy", "submission.csv")]
    snakemake(project, *(f"results/cut/{name}" for name in names), "--config", "competition=cut", "archive=pets.zip")
    assert len(list((project / "data/cut/64px").glob("train-*.npy"))) == 3
    for name in names:
        assert (project / "results/cut" / name).read_bytes() == (project / RESULTS / name).read_bytes()


def test_robustness_is_measured_where_it_is_asked_for(finished: tuple[Path, str]) -> None:
    project, _ = finished
    said = snakemake(project, str(RESULTS / "whole/robustness.csv"), *ARCHIVE)
    assert "[robustness pets whole] none 0: macro f1 " in said
    found = pd.read_csv(project / RESULTS / "whole/robustness.csv").set_index(["corruption", "level"])
    board = pd.read_csv(project / RESULTS / "leaderboard.csv").set_index("experiment")
    assert found.accuracy["none", 0] == pytest.approx(board.validation_accuracy["whole"])
    assert set(found.index) == {("none", 0), ("noise", 0.4), ("jpeg", 10)}


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
    assert (
        "podium: --config: attempt: 4 is more than the 3 a day that config/competitions/pets.yaml: submission.zip"
        in refused
    )
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
    snakemake(project, *wanted)
    assert scheduled(project, *wanted) == set()
    assert (project / RESULTS / "cnn/seed0-fold0/served/1/saved_model.pb").is_file()
    assert (project / RESULTS / "cnn/seed0-fold0/model.weights.h5").is_file()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--config", "competition=digit"), "no file config/competitions/digit.yaml (did you mean 'digits'?)"),
        (
            ("--config", "run=[mix]", "ensembles={mix: [cnn, finetune]}"),
            "ensembles.mix: without a validation table, members must have the same folds (cnn 4, finetune 0)",
        ),
        (("send",), "podium: config/competitions/digits.yaml: archive: only to a kaggle:NAME can anything be sent"),
        (("results/digits/cnn/submission.tsv",), "podium: submission.tsv: the submission of digits is submission.csv"),
        (("--config", "run=quick"), "podium: --config: run: 'quick' is not a list; write run=[quick]"),
        (
            ("--config", "defaults={size: big}"),
            "podium: --config: defaults.size: 'big' is not of type integer",
        ),
        (("--configfile", "mine.yaml"), "podium: mine.yaml: experiments.cnn.train.cnn: unknown key 'epoch' (did you"),
        (("results/digits/linea/submission.csv",), "podium: no experiment 'linea' (did you mean 'linear'?)"),
    ],
)  # fmt: skip
def test_a_wrong_command_is_answered_in_one_line(
    finished: tuple[Path, str], arguments: tuple[str, ...], message: str
) -> None:
    project, _ = finished
    (project / "mine.yaml").write_text("experiments: {cnn: {train: {cnn: {epoch: 3}}}}")
    said = snakemake(project, "--dry-run", *arguments, fails=True)
    assert message in said.splitlines()[-1]
    assert "Traceback" not in said


def claims(project: Path, *arguments: str) -> dict[str, int]:
    """The memory in MB that the jobs of a run claim, by their rules."""
    said = snakemake(project, "--dry-run", "--forceall", "--quiet", "host", *arguments, *ARCHIVE)
    return {
        rule: int(mb)
        for rule, mb in re.findall(r"^rule (\w+):\n(?:    .*\n)*?    resources: .*mem_mb=(\d+)", said, re.M)
    }


def test_jobs_together_claim_no_more_memory_than_there_is_and_none_is_refused(finished: tuple[Path, str]) -> None:
    project, _ = finished
    usual, huge = claims(project), 10**8
    assert set(usual) == set(CLAIMS) - {"upload", "panels", "export", "robustness"}
    assert usual["train"] > usual["split"]
    more = f"split:mem_mb={huge}"
    assert claims(project, "--set-resources", more)["split"] == machine.memory() < huge
    # A cluster has other machines.
    assert claims(project, "--jobs", "4", "--set-resources", more)["split"] == huge
    folds = "data/pets/folds2.csv"
    said = snakemake(project, "--force", folds, "--resources", "mem_mb=200", *ARCHIVE)
    assert "1 of 1 steps (100%) done" in said


def test_numbers_in_a_mapping_on_the_command_line_are_numbers(finished: tuple[Path, str]) -> None:
    project, _ = finished
    given = ("--config", "defaults={size: 32, train: {cnn: {width: 4}}}", "run=[cnn]")
    found = snakemake(project, "--quiet", "host", "--dry-run", *given)
    assert "data/digits/32px/train-0.npy" in found


def test_the_last_lines_say_how_good_what_was_asked_for_is_though_nothing_is_done(finished: tuple[Path, str]) -> None:
    project, said = finished
    (line,) = (line for line in said.splitlines() if line.startswith("results/pets/cnn/submission.csv"))
    again = snakemake(project, "results/pets/cnn/submission.csv", *ARCHIVE)
    assert "Nothing to be done" in again
    assert again.splitlines()[-2:] == [line, said.splitlines()[-1]]
    everything = snakemake(project, *ARCHIVE)
    assert "Nothing to be done" in everything
    assert everything.splitlines()[-2 - len(EXPERIMENTS) :] == said.splitlines()[-2 - len(EXPERIMENTS) :]
    for other in ("--dry-run", "--lint", "--summary", "--unlock"):
        assert line not in snakemake(project, other, *ARCHIVE)


def test_the_leaderboard_compares_all_that_fits_its_settings_and_builds_nothing_for_it(
    finished: tuple[Path, str],
) -> None:
    project, _ = finished
    board, history, config = project / RESULTS / "leaderboard.csv", project / RESULTS / "history.csv", project / CONFIG
    before = board.read_bytes(), history.read_bytes(), config.read_text()
    assert set(pd.read_csv(history).experiment) == set(EXPERIMENTS)
    wanted = (str(RESULTS / "leaderboard.csv"), *ARCHIVE, "run=[cnn]")
    try:
        snakemake(project, *wanted)
        assert set(pd.read_csv(board).experiment) == set(EXPERIMENTS)
        edit(config, lambda content: content["experiments"]["whole"].update(predict={"views": ["plain"]}))
        assert scheduled(project, *wanted) == {"leaderboard"}
        snakemake(project, *wanted)
        # The pupil learned from it.
        assert set(pd.read_csv(board).experiment) == set(EXPERIMENTS) - {"whole", "pupil"}
        kept = pd.read_csv(history)
        assert set(kept.experiment[~kept.compared]) == {"whole", "pupil"}
    finally:
        config.write_text(before[2])
        snakemake(project, str(RESULTS / "leaderboard.csv"), *ARCHIVE)
    assert (board.read_bytes(), history.read_bytes()) == before[:2]


def test_a_wrong_table_stops_before_any_work_in_one_line(finished: tuple[Path, str], tmp_path: Path) -> None:
    project, _ = finished
    members = competition(train=2)
    members["train.csv"] += b"nowhere.jpg,coffee\n"
    archive = write_zip(tmp_path / "broken.zip", members)
    (project / "config/competitions/broken.yaml").write_text(yaml.safe_dump({"tables": TABLES}))
    said = snakemake(project, "--config", "competition=broken", f"archive={archive}", fails=True)
    line = next(line for line in said.splitlines() if "error" in line)
    assert line.startswith("[index broken] error: train.csv: line 10: 'train/nowhere.jpg' is not in the archive")
    assert said.splitlines()[-1] == line  # below what Snakemake says of the job
    assert "Traceback" not in said
    assert not (project / "data/broken/index.csv").exists()


def test_a_sample_or_a_form_that_does_not_fit_stops_before_photos_are_decoded(finished: tuple[Path, str]) -> None:
    project, _ = finished
    tables, folders = {"tables": TABLES}, {"folders": {"path": "", "holdout": 0.25, "seed": 0}}
    # The validation table in the place of the sample asks for other photos than the test table has, and the sample
    # for others than those that are held out of class folders.
    wrong = [
        (
            "validation.csv",
            "labels",
            tables,
            "line 2: 'ch100.jpg' is not an id of test.csv, whose first is 'ch200.jpg'",
        ),
        (
            "sample_submission.csv",
            "probabilities",
            tables,
            "line 1: no column for the label 'chelsea' (first columns: 'label')",
        ),
        (
            "sample_submission.csv",
            "labels",
            folders,
            "line 2: 'ch200.jpg' is not an id of the test photos, whose first is 'test/co200.jpg'",
        ),
    ]
    for sample, form, layout, message in wrong:
        facts = {**layout, "submission": {"sample": sample, "form": form}}
        (project / "config/competitions/misfit.yaml").write_text(yaml.safe_dump(facts))
        given = ("--cores", "1", "--config", "competition=misfit", "archive=pets.zip", "run=[cnn]")
        said = snakemake(project, *given, fails=True)
        line = f"[ask misfit] error: {sample}: {message}"
        assert [line for line in said.splitlines() if "error:" in line] == [line] * 2  # when it happens and at the end
        found = {path.name for path in (project / "data/misfit").iterdir()}
        assert found - {f"{name}.sha256" for name in found} == {
            "source.zip",
            "index.csv",
            "quarantine.csv",
            "depth.json",
            "features.npy",
            "targets",
        }
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
    wanted = ["results/flowers/whole/submission.csv", "results/flowers/whole/scores.json"]
    snakemake(project, *wanted, "--config", "competition=flowers", f"archive={tmp_path / 'flowers.tgz'}")
    submission = pd.read_csv(project / wanted[0])
    assert list(submission.columns) == ["id", "label"]
    # A fit of all photos, and one beside it that leaves a fifth of them out as a yardstick.
    folds = pd.read_csv(project / "data/flowers/folds5.csv")
    scores = json.loads((project / wanted[1]).read_text())
    assert {yardstick: figures["photos"] for yardstick, figures in scores.items()} == {
        "held_out": (folds.fold == 0).sum(),
        "test": len(submission),
    }
    assert sorted(path.name for path in (project / wanted[1]).parent.glob("seed*")) == ["seed0-all", "seed0-fold0"]


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
    facts = {"idx": {**idx, "classes": list(SUBJECTS)}, "archive": "idx.zip", "run": ["whole", "linear"]}
    (project / "config/competitions/idx.yaml").write_text(yaml.safe_dump({**facts, "defaults": {"held_out": False}}))
    said = snakemake(project, "--config", "competition=idx")
    submission = pd.read_csv(project / "results/idx/linear/submission.csv", dtype=str)
    assert list(submission.id) == [str(number) for number in range(12)]
    right = (submission.label == [*SUBJECTS] * 3).mean()
    scores = json.loads((project / "results/idx/linear/scores.json").read_text())
    assert {yardstick: figures["photos"] for yardstick, figures in scores.items()} == {"out_of_fold": 32, "test": 12}
    assert scores["test"]["accuracy"]["value"] == right > 0.9
    # One fit of all photos, which nothing but the test photos judges, stands below whatever they say.
    whole = project / "results/idx/whole"
    assert [path.name for path in whole.glob("seed*")] == ["seed0-all"]
    scores = json.loads((whole / "scores.json").read_text())
    assert {yardstick: figures["photos"] for yardstick, figures in scores.items()} == {"test": 12}
    assert (whole / "predictions.npy").read_bytes() == (whole / "pooled.npy").read_bytes()
    board = pd.read_csv(project / "results/idx/leaderboard.csv", keep_default_na=False)
    assert board[["experiment", "judged_by"]].to_numpy().tolist() == [["linear", "out_of_fold"], ["whole", ""]]
    assert re.search(r"^results/idx/whole/submission\.csv   accuracy [\d.]+ \(.*\) on the test photos$", said, re.M)
