"""New photos get what the competition's own photos got."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from conftest import RESULTS, ROOT, SUBJECTS, TASK, competition

from classify import classify
from podium.predictions.stored import Predictions
from podium.step import BadInput

TEST = {Path(name).name: data for name, data in competition().items() if name.startswith("test/")}
LABELS = sorted(SUBJECTS)


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The test photos of `finished` in two folders, one of them below the other, with one that is broken."""
    folder = tmp_path_factory.mktemp("photos")
    (folder / "more").mkdir()
    for number, (name, data) in enumerate(TEST.items()):
        (folder / ("more" if number % 2 else ".") / name).write_bytes(b"" if name == "te201.jpg" else data)
    (folder / "notes.txt").write_text("no photo")
    (folder / ".hidden.jpg").write_bytes(b"litter")
    return folder


def classified(model: Path, *photos: Path, out: Path) -> pd.DataFrame:
    classify(model, list(photos), out)
    return pd.read_csv(out, keep_default_na=False, na_values={label: [""] for label in LABELS})


@pytest.mark.parametrize("experiment", ["linear", "cnn", "whole", "both"])
def test_an_experiment_gives_the_test_photos_what_its_predictions_say(
    finished: tuple[Path, str], photos: Path, tmp_path: Path, experiment: str
) -> None:
    folder = finished[0] / RESULTS / experiment
    found = classified(folder, photos, out=tmp_path / "found.csv")
    assert list(found.columns) == ["file", "class", *LABELS]
    read = found[found["class"] != ""]
    expected = Predictions.read(folder / "predictions.npy").of("test")
    rows = expected.at(pd.DataFrame({"split": "test", "id": [Path(file).name for file in read.file]}))[:]
    assert len(rows) == len(TEST) - 1
    np.testing.assert_allclose(read[LABELS], rows, atol=2e-4)
    decision = json.loads((folder / "decision.json").read_text())["decision"]
    assert list(read["class"]) == [LABELS[place] for place in TASK.answers(rows, decision)]


@pytest.mark.parametrize("experiment", ["linear", "cnn"])
def test_one_model_gives_what_its_fit_predicted_once_calibrated(
    finished: tuple[Path, str], photos: Path, tmp_path: Path, experiment: str
) -> None:
    """From the file alone, wherever it is."""
    folder = finished[0] / RESULTS / experiment
    shutil.copy(folder / "seed0-fold1/model.keras", tmp_path / "mine.keras")
    found = classified(tmp_path / "mine.keras", photos / "ch200.jpg", photos / "fl201.jpg", out=tmp_path / "found.csv")
    keys = pd.DataFrame({"split": "test", "id": ["ch200.jpg", "fl201.jpg"]})
    raw = Predictions.read(folder / "seed0-fold1/predictions.npy").at(keys)[:]
    temperature = json.loads((folder / "calibration.json").read_text())["fit_temperature"]
    np.testing.assert_allclose(found[LABELS], TASK.link.tempered(raw, temperature), atol=2e-4)
    assert list(found.file) == [str(photos / name) for name in keys.id]


def test_no_photo_is_lost_silently_and_files_come_sorted_and_once(
    finished: tuple[Path, str], photos: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    model = finished[0] / RESULTS / "cnn/seed0-fold0/model.keras"
    (photos / "notes.txt").touch()
    found = classified(model, photos / "fl200.jpg", photos, out=tmp_path / "found.csv")
    there = sorted(path for path in photos.rglob("*.jpg") if not path.name.startswith("."))
    assert list(found.file) == [str(path) for path in dict.fromkeys([photos / "fl200.jpg", *there])]
    lost = found[found["class"] == ""]
    assert [Path(file).name for file in lost.file] == ["te201.jpg"]
    assert lost[LABELS].isna().all(axis=None)
    assert found.loc[found["class"] != "", LABELS].notna().all(axis=None)
    assert [each for each in caplog.messages if "te201.jpg cannot be read: the file is empty" in each]
    assert [each for each in caplog.messages if "not named like photos" in each and "notes.txt" in each]


def test_by_hand_it_says_where_the_table_is_and_nothing_of_tensorflow(
    finished: tuple[Path, str], photos: Path, tmp_path: Path
) -> None:
    model = finished[0] / RESULTS / "both"  # as many networks as TensorFlow would warn of
    command = [sys.executable, str(ROOT / "workflow/scripts/classify.py"), str(model), str(photos / "ch200.jpg")]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True)
    assert (done.stdout, done.stderr) == ("wrote predictions.csv\n", "")
    assert len((tmp_path / "predictions.csv").read_text().splitlines()) == 2
    refused = subprocess.run(
        [*command[:2], "none.keras", "."], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert (refused.returncode, refused.stderr) == (1, "classify: none.keras: no such file or folder\n")


def test_what_cannot_be_classified_is_refused_in_one_line(
    finished: tuple[Path, str], photos: Path, tmp_path: Path
) -> None:
    results, broken = finished[0] / RESULTS, next(photos.rglob("te201.jpg"))
    model = results / "cnn/seed0-fold0/model.keras"
    for given, files, message in [
        (
            results / "cnn/seed0-fold0",
            photos,
            "seed0-fold0: contains no results of an experiment; have Snakemake build",
        ),
        (photos / "notes.txt", photos, r"notes\.txt: not a model in a .keras file"),
        (model, photos / "none", "none: no such file or folder"),
        (model, broken, r"te201\.jpg: no photo that can be read"),
    ]:
        with pytest.raises(BadInput, match=message):
            classify(given, [files], tmp_path / "found.csv")
    with pytest.raises(BadInput, match="cannot be written; name a file in an existing folder"):
        classify(model, [photos], tmp_path)
    assert list(tmp_path.iterdir()) == []
