"""A picture for each photo, from the archive to a submission with a row for each pixel, and to files of new photos."""

import io
import json
import zipfile
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml
from conftest import SUBJECTS, photo, snakemake, write_zip
from PIL import Image

from classify import classify
from podium.photos import images

WIDTH, HEIGHT = 40, 24


def dirty(number: int) -> tuple[np.ndarray, np.ndarray]:
    """A grey picture, and the same darker on one side and with noise."""
    random = np.random.default_rng(number)
    clean = images.decode(photo(SUBJECTS[number % 4], number), WIDTH)[:HEIGHT, :, :1].astype(float)
    shade = np.linspace(0.4, 1.0, WIDTH)[None, :, None]
    return clean[..., 0].astype(np.uint8), (clean * shade + random.normal(0, 6, clean.shape)).clip(0, 255)[..., 0]


@pytest.mark.slow
def test_pictures_go_from_the_archive_to_checked_rows_of_pixels(finished: tuple[Path, str]) -> None:
    project, _ = finished
    pairs = {number: dirty(number) for number in range(60)}
    train, test = [*range(50)], [*range(50, 60)]
    members = {f"train/{n}.png": images.png(pairs[n][1].astype(np.uint8)) for n in train}
    members |= {f"train_cleaned/{n}.png": images.png(pairs[n][0]) for n in train}
    members |= {f"test/{n}.png": images.png(pairs[n][1].astype(np.uint8)) for n in test}
    ids = [f"{n}_{row + 1}_{column + 1}" for n in test for row in range(HEIGHT) for column in range(WIDTH)]
    members["sample.csv"] = pd.DataFrame({"id": ids, "value": 1}).to_csv(index=False).encode()
    write_zip(project / "papers.zip", members)
    names = {"train": "train/{id}.png", "target": "train_cleaned/{id}.png", "test": "test/{id}.png"}
    facts = {"task": "image_to_image", "image_to_image": {"output": "grey", "side": 64}, "names": names}
    facts |= {"submission": {"form": "pixels", "sample": "sample.csv"}, "preprocess": {"fit": "keep"}, "run": ["clean"]}
    (project / "config/competitions/papers.yaml").write_text(yaml.safe_dump(facts))
    network = {"network": "small_unet", "small_unet": {"epochs": 25, "batch": 8, "width": 8, "sizes": [32]}}
    own = {"clean": {"size": 64, "folds": 0, "train": network, "predict": {"views": ["plain", "flip"]}}}
    given = ["competition=papers", "archive=papers.zip", f"experiments={json.dumps(own)}"]
    snakemake(project, "--config", *given)

    results = project / "results/papers/clean"
    handed_in = pd.read_csv(results / "submission.csv")
    assert list(handed_in.id) == ids
    found = handed_in.value.to_numpy().reshape(len(test), HEIGHT, WIDTH)
    wanted = np.stack([pairs[n][0] for n in test]) / 255
    before = np.stack([pairs[n][1] for n in test]) / 255
    reached = np.sqrt(((found - wanted) ** 2).mean())
    assert reached < np.sqrt(((before - wanted) ** 2).mean()) / 2
    figure = json.loads((results / "scores.json").read_text())["held_out"]["rmse"]
    assert abs(figure["value"] - reached) < 0.03
    assert figure["trivial_answer"] == "the mean colour"
    assert figure["trivial"] > 2 * figure["value"]

    (project / "new.png").write_bytes(images.png(pairs[55][1].astype(np.uint8)))
    classify(results, [project / "new.png"], project / "out.zip")
    with zipfile.ZipFile(project / "out.zip") as archive:
        answered = np.asarray(Image.open(io.BytesIO(archive.read("new.png"))))
    np.testing.assert_allclose(answered / 255, found[5], atol=0.01)
