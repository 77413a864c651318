"""What others load gives what Podium predicts, from pixels and from files."""

import io
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from conftest import CLASSIFICATION, ROOT, SUBJECTS, TASK, UNVARIED, dataset, encoded, photo, subject
from PIL import Image

from podium.models.writing import calibrated, save
from podium.networks import cnn
from podium.photos import images, pixels
from podium.predictions.stored import Predictions
from podium.tables import write_csv
from predict import predict

SIZE, TEMPERATURE = 24, 2.5
LABELS = ["NA", "a,b", "crème", "d"]
CNN = {"size": SIZE, "precision": "float32", "epochs": 2, "batch": 8, "learning_rate": 0.005, "weight_decay": 0.01}
CNN |= {"fit": "crop", "label_smoothing": 0.0, "dropout": 0.1, "patience": 0, "width": 8}
CNN |= {"augment": UNVARIED | {"shift": 0.1}}


def exported(folder: Path, name: str) -> Path:
    """A folder with what the step, by hand in a process of its own, makes of the model."""
    files = ["--weights", str(folder / name / "model.weights.h5"), "--served", str(folder / name / "served")]
    command = [sys.executable, str(ROOT / "workflow/scripts/export.py"), "--model", str(folder / "model.keras"), *files]
    subprocess.run(command, check=True, capture_output=True)
    return folder / name


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small network of four subjects, what it predicts of eight of their photos, and its export, calibrated."""
    folder = tmp_path_factory.mktemp("export")
    decoded = [images.decode(photo(name, number), SIZE) for number in range(4) for name in SUBJECTS]
    pixels.write(folder / "train-0.npy", (8, SIZE, SIZE, 3), decoded[:8])
    pixels.write(folder / "test-0.npy", (8, SIZE, SIZE, 3), decoded[8:])
    rows = np.arange(8)
    model, _ = cnn.fit(
        dataset([folder / "train-0.npy"], rows, np.eye(4, dtype=np.float32)[rows % 4], rows),
        seed=1,
        resume=folder / "resume",
        **CNN,
    )
    save(model, TASK, LABELS, [], folder / "fitted.keras")
    calibrated(folder / "fitted.keras", folder / "model.keras", TEMPERATURE)
    splits, labels = np.repeat(["train", "test"], 8), [*LABELS * 2, *[""] * 8]
    index = pd.DataFrame({"id": [f"{number}.jpg" for number in range(16)], "label": labels, "split": splits})
    write_csv(folder / "index.csv", index)
    write_csv(folder / "folds.csv", pd.DataFrame({"fold": rows % 2}))
    files = [folder / name for name in ("index.csv", "folds.csv", "predictions.npy", "one_view.npy")]
    settings = {
        "task": CLASSIFICATION,
        "network": "cnn",
        "fold": None,
        "splits": ["test"],
        "views": ["plain"],
        "saved_model": None,
    }
    predict(folder / "fitted.keras", [folder / "test-0.npy"], *files[:2], [], *files[2:], **settings)
    exported(folder, "first")
    return folder


def served(folder: Path, signature: str, **given: object) -> tuple[np.ndarray, list[list[str]]]:
    """The probabilities and the names that a signature of the SavedModel answers."""
    import tensorflow as tf

    loaded = tf.saved_model.load(str(folder / "first/served/1"))
    answer = loaded.signatures[signature](**{name: tf.constant(value) for name, value in given.items()})
    assert set(answer) == {"probabilities", "classes"}
    return answer["probabilities"].numpy(), [[name.decode() for name in row] for row in answer["classes"].numpy()]


def test_what_is_served_is_what_was_predicted_once_calibrated(folder: Path) -> None:
    stored = np.load(folder / "test-0.npy")
    found, names = served(folder, "serving_default", pixels=stored)
    predictions = Predictions.read(folder / "predictions.npy")
    assert names == [LABELS] * 8
    np.testing.assert_allclose(found, TASK.link.tempered(predictions[:], TEMPERATURE), atol=1e-5)
    assert np.abs(found - predictions[:]).max() > 0.01


def test_photos_of_any_size_are_cut_and_resized_as_the_model_does(folder: Path) -> None:
    import keras

    tall = np.stack([np.asarray(subject(name).resize((50, 70))) for name in SUBJECTS])
    found, _ = served(folder, "serving_default", pixels=tall)
    expected = keras.models.load_model(folder / "model.keras").predict(tall, verbose=0)
    np.testing.assert_allclose(found, expected, atol=1e-6)
    assert found.dtype == np.float32


def test_encoded_photos_give_what_their_pixels_give(folder: Path) -> None:
    grey, clear = subject("coffee").convert("L").resize((40, 30)), subject("chelsea").resize((33, 45)).convert("RGBA")
    clear.putalpha(grey.resize(clear.size))
    files = [photo("temple", 3), photo("flower", 1, format="PNG"), encoded(grey, "JPEG"), encoded(clear, "PNG")]
    found, names = served(folder, "encoded", encoded=files)
    assert names == [LABELS] * 4
    assert np.ptp(found, axis=0).max() > 0.02  # the photos are told apart by more than the tolerance
    for row, data in zip(found, files, strict=True):
        plain = np.asarray(images._rgb(Image.open(io.BytesIO(data))))
        expected, _ = served(folder, "serving_default", pixels=plain[None])
        np.testing.assert_allclose(row, expected[0], atol=2e-3)


def test_the_weights_fit_the_same_network(folder: Path) -> None:
    import keras

    model = keras.models.load_model(folder / "model.keras")
    photos = np.load(folder / "test-0.npy")
    expected = model.predict(photos, verbose=0)
    model.set_weights([np.zeros_like(each) for each in model.get_weights()])
    model.load_weights(folder / "first/model.weights.h5")
    np.testing.assert_array_equal(model.predict(photos, verbose=0), expected)


def test_two_exports_are_the_same_bytes(folder: Path) -> None:
    first, second = folder / "first", exported(folder, "second")
    found = [sorted(path.relative_to(each) for path in each.rglob("*") if path.is_file()) for each in (first, second)]
    assert found[0] == found[1]
    assert [str(path) for path in found[0] if (first / path).read_bytes() != (second / path).read_bytes()] == []
