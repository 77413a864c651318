"""Panels show some photos as they are, with the truth and the answer, whatever is answered."""

import io
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from panels import panels
from podium.photos import images, masks, pixels
from podium.predictions import stored
from podium.step import BadInput

COUNT, SIDE = 12, 16
MASKS = {"segmentation": {"classes": {"sky": 0, "tree": 1}, "void": [], "answer": None, "runs": "columns"}}
PICTURES = {"image_to_image": {"input": "photo", "output": "colour"}}


def drawn(folder: Path, task: dict[str, Any], truth: list[bytes], said: np.ndarray, split: str = "validation") -> Image:
    """The picture of these answers."""
    ((name, own),) = task.items()
    spec = {name: own | {"side": SIDE, "fit": "squash", "folder": str(folder), "metric": None}}
    shown = np.random.default_rng(0).integers(0, 256, (COUNT, SIDE, SIDE, 3), np.uint8)
    pixels.write(folder / "photos.npy", shown.shape, shown)
    for number, each in enumerate(truth):
        (folder / f"{number}.png").write_bytes(each)
    rows = [("train", "t", "0.png")] + [(split, str(number), f"{number}.png") for number in range(COUNT)]
    index = pd.DataFrame(rows, columns=["split", "id", "label"])
    index = index.assign(file=index.id, digest=index.split + index.id, group=range(len(index)), width=SIDE, height=SIDE)
    index.to_csv(folder / "index.csv", index=False)
    stored.write(folder / "predictions.npy", index[1:], said.shape[1], [said], "u1")
    (folder / "decision.json").write_text('{"decision": {"mean": [0, 0, 0]}}')
    files = [folder / "predictions.npy", folder / "decision.json", [folder / "photos.npy"], folder / "index.csv"]
    panels(*files, out := folder / "panels.png", task=spec, split=split, title="pets")
    with Image.open(io.BytesIO(out.read_bytes())) as image:
        return image.convert("RGB")


def test_masks_are_drawn_in_the_colours_of_their_classes(tmp_path: Path) -> None:
    ids = np.zeros((COUNT, SIDE, SIDE), np.uint8)
    ids[:, 8:] = 1
    said = (ids[..., None] == np.arange(2)).astype(np.float32)
    said[3] = said[3, ::-1]
    picture = drawn(tmp_path, MASKS, [masks.encode(each) for each in ids], said.reshape(COUNT, -1))
    shown = np.asarray(picture).reshape(-1, 3).astype(int)
    for colour in ((31, 119, 180), (174, 199, 232), (217, 25, 25)):  # both classes, and what is wrong
        assert (np.abs(shown - colour).max(1) <= 1).sum() > 1000
    assert picture.width > picture.height / 3


def test_pictures_are_drawn_as_they_are(tmp_path: Path) -> None:
    truth = np.random.default_rng(1).integers(0, 256, (COUNT, SIDE, SIDE, 3), np.uint8)
    said = np.full((COUNT, SIDE * SIDE * 3), 0.2, np.float32)
    picture = drawn(tmp_path, PICTURES, [images.png(each) for each in truth], said)
    shown = np.asarray(picture).reshape(-1, 3)
    assert (shown == 51).all(1).sum() > 5000


def test_without_photos_that_judge_there_is_nothing_to_draw(tmp_path: Path) -> None:
    ids = [masks.encode(np.zeros((SIDE, SIDE), np.uint8))] * COUNT
    with pytest.raises(BadInput, match="no photo with a target judges this experiment"):
        drawn(tmp_path, MASKS, ids, np.zeros((COUNT, SIDE * SIDE * 2), np.float32), split="test")
