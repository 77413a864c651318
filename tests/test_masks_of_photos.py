"""A class for each pixel, from the archive to checked submissions of run lengths and of files."""

import io
import json
import zipfile
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml
from conftest import SUBJECTS, photo, snakemake, table, write_zip
from PIL import Image

from podium.photos import images, masks
from podium.predictions.submission import read_asked, write_asked
from podium.tasks.cells import Form
from submit import submit

WIDTH, HEIGHT = 96, 64


def pasted(number: int) -> tuple[bytes, np.ndarray]:
    """A grey wall with a photo hung somewhere, and where it is; every sixth wall is empty."""
    random = np.random.default_rng(number)
    shown = random.normal(128, 6, (HEIGHT, WIDTH, 1)).repeat(3, 2).clip(0, 255).astype(np.uint8)
    mask = np.zeros((HEIGHT, WIDTH), bool)
    if number % 6:
        side = int(random.integers(24, 48))
        top, left = int(random.integers(0, HEIGHT - side)), int(random.integers(0, WIDTH - side))
        shown[top : top + side, left : left + side] = images.decode(photo(SUBJECTS[number % 4], number), side)
        mask[top : top + side, left : left + side] = True
    return images.png(shown), mask


def overlap(first: np.ndarray, second: np.ndarray) -> float:
    return float((first & second).sum() / (first | second).sum())


@pytest.mark.slow
def test_masks_go_from_the_archive_to_checked_submissions(finished: tuple[Path, str]) -> None:
    """What the held-out fold promises is what the test photos give, as run lengths and as files."""
    project, _ = finished
    walls = {f"w{number:02}": pasted(number) for number in range(60)}
    train, test = list(walls)[:48], list(walls)[48:]
    members = {f"photos/{name}.png": walls[name][0] for name in walls}
    members["train.csv"] = table(["id", "rle"], [[name, masks.runs(walls[name][1], "columns")] for name in train])
    members["sample.csv"] = table(["id", "rle"], [[name, ""] for name in test])
    write_zip(project / "walls.zip", members)
    listed = {"image": "photos/{id}.png", "id": "id"}
    tables = {"train": listed | {"path": "train.csv", "label": "rle"}, "test": listed | {"path": "sample.csv"}}
    facts = {"task": "segmentation", "segmentation": {"answer": "photo", "side": 64}, "tables": tables}
    facts |= {"submission": {"form": "runs", "sample": "sample.csv"}, "preprocess": {"fit": "squash"}, "run": ["small"]}
    unet = {"sizes": [64], "epochs": 40, "batch": 4, "width": 16, "learning_rate": 0.002}
    small = {
        "size": 64,
        "folds": 0,
        "train": {"network": "unet", "unet": unet},
        "predict": {"views": ["plain", "flip"]},
    }
    (project / "config/competitions/walls.yaml").write_text(yaml.safe_dump(facts))
    given = ["competition=walls", "archive=walls.zip", f"experiments={json.dumps({'small': small})}"]
    snakemake(project, "--config", *given)
    truth, results = np.stack([walls[name][1] for name in test]), project / "results/walls/small"

    handed_in = pd.read_csv(results / "submission.csv", keep_default_na=False)
    assert list(handed_in.id) == test
    found = np.stack([masks.from_runs(cell, WIDTH, HEIGHT, "columns") for cell in handed_in.rle])
    scores = json.loads((results / "scores.json").read_text())["held_out"]
    assert overlap(found, truth) > 0.75
    assert abs(scores["iou"]["value"] - overlap(found, truth)) < 0.15
    assert scores["iou"]["value"] >= scores["iou"].get("plain", 0)
    assert pd.read_csv(results / "classes.csv").label.tolist() == ["background", "photo"]

    with Image.open(results / "panels.png") as drawn:
        assert drawn.width > 600
        assert len(np.unique(np.asarray(drawn.convert("RGB")).reshape(-1, 3), axis=0)) > 100

    spec = {"classes": {"wall": 0, "photo": 255}, "void": [], "answer": "photo", "runs": "columns", "side": 64}
    spec |= {"fit": "squash"}
    sample, _, labels = read_asked(project / "data/walls/asked.json")
    write_asked(asked := results / "asked.json", sample, Form("labels", 1, " "), labels)
    inputs = [results / "predictions.npy", results / "decision.json"]
    task = {"segmentation": spec | {"folder": "", "metric": "iou"}}
    submit(asked, *inputs, results / "submission.zip", task=task, inside=None)
    with zipfile.ZipFile(results / "submission.zip") as archive:
        assert archive.namelist() == [f"{name}.png" for name in test]
        values = np.stack([np.asarray(Image.open(io.BytesIO(archive.read(name)))) for name in archive.namelist()])
    np.testing.assert_array_equal(values, found * 255)
