"""The classes' names stand in the networks' order, which real photos tell; and what is answered to wrong input."""

import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest
from conftest import ROOT, encoded, subject
from PIL import Image

import recognise as script
from podium import backbones
from podium.photos import images
from podium.step import BadInput
from recognise import recognise

RIGHT = {
    "chelsea": {"Egyptian cat", "tiger cat", "tabby", "lynx"},
    "coffee": {"espresso", "cup", "coffee mug", "consomme"},
}
SETTINGS = {"backbone": "efficientnet_lite0", "weights": "imagenet"}


def pixels(photo: Path) -> np.ndarray:
    return images.decode(photo.read_bytes(), 224)[None].astype(np.float32)


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    (tmp_path / "cat.jpg").write_bytes(encoded(subject("chelsea"), "JPEG"))
    return tmp_path / "cat.jpg"


@pytest.mark.parametrize("name", ["chelsea", "coffee"])
def test_real_photos_are_recognised(name: str, tmp_path: Path) -> None:
    (tmp_path / "photo.png").write_bytes(encoded(subject(name), "PNG"))
    found = recognise(tmp_path / "photo.png", None, **SETTINGS)
    assert [each for each, _ in found[:2] if each in RIGHT[name]] == [each for each, _ in found[:2]]
    shares = [share for _, share in found]
    assert len(found) == 5
    assert shares == sorted(shares, reverse=True)
    assert 0 < sum(shares) <= 1


def test_there_is_one_name_for_each_class() -> None:
    names = script.CLASSES.read_text().splitlines()
    assert len(set(names)) == 1000
    assert [names[at] for at in (0, 281, 504, 967, 999)] == [
        "tench",
        "tabby",
        "coffee mug",
        "espresso",
        "toilet tissue",
    ]


def test_by_hand_it_prints_five_lines_and_draws_a_picture(photo: Path, tmp_path: Path) -> None:
    command = [sys.executable, ROOT / "workflow/scripts/recognise.py", photo, "--picture", tmp_path / "out.png"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stderr == ""  # TensorFlow's own lines stay away
    lines = done.stdout.splitlines()
    assert len(lines) == 5
    assert "Egyptian cat" in lines[0]
    drawn = np.asarray(Image.open(tmp_path / "out.png"))
    top, height = script.WIDTH, script.LINE
    bars = [(drawn[top + row * height + 3, :, :] == (0x9E, 0xCA, 0xE1)).all(1).sum() / script.WIDTH for row in range(5)]
    np.testing.assert_allclose(bars, [float(line.split("%")[0]) / 100 for line in lines], atol=0.01)


def test_a_network_of_keras_and_one_of_the_hub_have_the_same_names(photo: Path, tmp_path: Path) -> None:
    """With weights that make one class win: the hub's networks have one more, the background, in front."""
    random = backbones.build("mobilenet_v3_small", "none", policy="float32", top=True)
    np.testing.assert_allclose(
        [share for _, share in recognise(photo, None, backbone="mobilenet_v3_small", weights="none")],
        np.sort(keras.ops.softmax(random(pixels(photo))).numpy()[0])[:-6:-1],
        rtol=1e-3,
    )
    for count, at in ((1000, 281), (1001, 282), (5, 1)):
        inputs = keras.Input((8, 8, 3))
        answer = keras.layers.Dense(count)(keras.layers.GlobalAveragePooling2D()(inputs))
        hub = keras.Model(inputs, answer)
        hub.set_weights([np.zeros((3, count)), np.eye(count)[at] * 9])
        hub.export(tmp_path / str(count), verbose=False)
        settings = {"backbone": "saved_model", "weights": str(tmp_path / str(count))}
        if count == 5:
            with pytest.raises(BadInput, match="has 5 outputs, not one for each of ImageNet's 1000 classes"):
                recognise(photo, None, **settings)
        else:
            assert recognise(photo, None, **settings)[0][0] == "tabby"


def test_wrong_input_is_answered_in_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "text.jpg").write_text("no photo")
    for arguments, message in [
        ([tmp_path / "text.jpg"], "text.jpg: not an image"),
        ([tmp_path / "nowhere.jpg"], "nowhere.jpg: no such file"),
        ([tmp_path / "text.jpg", "--backbone", "vgg61"], "vgg61"),
        ([tmp_path / "text.jpg", "--picture", tmp_path / "out.doc"], "out.doc: not the name of an image file"),
    ]:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(sys, "argv", ["recognise.py", *map(str, arguments)])
            with pytest.raises(SystemExit) as ended:
                script.main()
        assert ended.value.code
        assert message in capsys.readouterr().err.splitlines()[-1]
