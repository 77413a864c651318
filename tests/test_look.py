"""The picture shows what the network computes, pixel for pixel."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from conftest import ROOT, TASK, encoded, subject
from PIL import Image

from look import GAP, LINE, SIDE, look
from podium.models.writing import for_any_size, save
from podium.networks import cnn, mlp
from podium.photos import images
from podium.step import BadInput

SIZE, WIDTH, FIT = 16, 8, "pad"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small network that has learned nothing yet, one without convolutions, and a photo."""
    import keras

    folder = tmp_path_factory.mktemp("look")
    keras.utils.set_random_seed(0)
    made = {"cnn": cnn._network(SIZE, 3, WIDTH, 0.0, "float32"), "mlp": mlp._network(SIZE, 3, [4], 0.0, "float32")}
    for name, network in made.items():
        save(
            for_any_size(network, SIZE, FIT),
            TASK,
            list("abc"),
            [],
            folder / f"{name}.keras",
            size=SIZE,
            fit=FIT,
            range=None,
        )
    (folder / "photo.jpg").write_bytes(encoded(subject("chelsea"), "JPEG"))  # a wide one
    return folder


def tile(picture: Image.Image, row: int, place: int) -> np.ndarray:
    """One map of the picture, uint8 [SIDE, SIDE, 3]."""
    left, top = GAP + place * (SIDE + GAP), GAP + row * (LINE + SIDE + GAP) + LINE - GAP
    return np.asarray(picture)[top : top + SIDE, left : left + SIDE]


def enlarged(values: np.ndarray) -> np.ndarray:
    """From the least value, 0, to the largest, 255, each one a square."""
    grey = (values - values.min()) / np.ptp(values) * 255
    return np.kron(grey, np.ones((SIDE // len(grey), SIDE // len(grey))))


def test_kernels_maps_and_pooling_are_what_tensorflow_computes(folder: Path, tmp_path: Path) -> None:
    import keras

    look(folder / "cnn.keras", folder / "photo.jpg", tmp_path / "seen.png")
    picture = Image.open(tmp_path / "seen.png")
    whole = keras.models.load_model(folder / "cnn.keras")
    network, convolution = whole.layers[-1], next(each for each in whole.layers[-1].layers if "conv2d" in each.name)
    pixels = images.decode((folder / "photo.jpg").read_bytes(), 4 * SIDE, FIT)
    seen = keras.ops.cast(whole.layers[-2](pixels[None]), "float32")
    maps = tf.nn.conv2d(seen / 127.5 - 1, np.asarray(convolution.kernel), 1, "SAME")[0].numpy()
    for channel in range(WIDTH):
        assert np.abs(tile(picture, 2, channel)[..., 0] - enlarged(maps[..., channel])).max() <= 1
    features, pooled = (
        keras.Model(network.input, network.get_layer(name).output)(seen)[0].numpy() for name in sides(network)
    )
    by_hand = features.reshape(SIZE // 2, 2, SIZE // 2, 2, WIDTH).max((1, 3))
    np.testing.assert_allclose(pooled, by_hand, rtol=1e-6)
    assert np.abs(tile(picture, 3, 3)[..., 0] - enlarged(by_hand[..., 3])).max() <= 1


def test_by_hand_it_says_what_it_wrote_and_nothing_else(folder: Path, tmp_path: Path) -> None:
    command = [sys.executable, ROOT / "workflow/scripts/look.py", folder / "cnn.keras", folder / "photo.jpg"]
    done = subprocess.run([*command, tmp_path / "seen.png"], capture_output=True, text=True, check=True)
    assert done.stdout.startswith(f"wrote {tmp_path / 'seen.png'}: the photo; kernels (")
    assert done.stderr == ""
    assert (tmp_path / "seen.png").is_file()


def sides(network: Any) -> list[str]:
    """The names of what stands before the first pooling layer, and of this."""
    names = [layer.name for layer in network.layers]
    place = next(number for number, name in enumerate(names) if "max_pooling" in name)
    return [names[place - 1], names[place]]


def test_what_cannot_be_drawn_is_refused_in_one_line(folder: Path, tmp_path: Path) -> None:
    for model, seen, picture, message in [
        ("mlp.keras", "photo.jpg", "a.png", "contains no convolution to draw"),
        ("none.keras", "photo.jpg", "a.png", "no such file"),
        (".", "photo.jpg", "a.png", "a folder; name a fit's model.keras"),
        ("cnn.keras", "cnn.keras", "a.png", "not an image"),
        ("cnn.keras", "photo.jpg", "a.txt", "not the name of an image file"),
    ]:
        with pytest.raises(BadInput, match=message):
            look(folder / model, folder / seen, tmp_path / picture)
    assert list(tmp_path.iterdir()) == []
