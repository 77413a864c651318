"""The pretrained networks know real photos, and their weights files cannot run code."""

import io
import pickle
from collections import OrderedDict
from pathlib import Path

import numpy as np
import pytest
from conftest import subject
from PIL import Image

from podium.backbones import build, efficientnet_lite
from podium.backbones.families import LITE

# ImageNet classes, any of which is right: cats and a lynx; an espresso or a cup.
RIGHT = {"chelsea": {281, 282, 285, 287}, "coffee": {967, 968}}


def pixels(name: str, size: int) -> np.ndarray:
    return np.asarray(subject(name).resize((size, size), Image.Resampling.BICUBIC), np.float32)[None]


@pytest.mark.parametrize("name", LITE)
def test_recognises_real_photos(name: str) -> None:
    network = build(name, policy="float32", top=True)
    for photo, right in RIGHT.items():
        logits = network(pixels(photo, LITE[name].size)).numpy()[0]
        assert logits.argmax() in right


def test_bfloat16_embeddings_point_the_same_way() -> None:
    exact, fast = (build("efficientnet_lite0", policy=policy) for policy in ("float32", "mixed_bfloat16"))
    photo = pixels("chelsea", 224)
    a, b = exact(photo).numpy()[0], fast(photo).numpy()[0]
    assert a.dtype == b.dtype == np.float32
    assert a @ b / np.linalg.norm(a) / np.linalg.norm(b) > 0.999


def test_folding_matches_batch_norm_computed_apart() -> None:
    """The stem, by hand: convolve, normalise with the file's own statistics, clip; against the folded layers."""
    import keras

    raw = efficientnet_lite.read_weights(efficientnet_lite.weights_file("efficientnet_lite0"))
    network = build("efficientnet_lite0", policy="float32")
    photo = pixels("coffee", 64)
    folded = keras.Model(network.input, network.get_layer("stem_relu6").output)(photo).numpy()
    kernel = raw["_conv_stem.weight"].transpose(2, 3, 1, 0)
    convolved = keras.ops.conv((photo - 127) / 128, kernel, strides=2, padding="same")
    norm = {key: raw[f"_bn0.{key}"] for key in ("weight", "bias", "running_mean", "running_var")}
    by_hand = (convolved - norm["running_mean"]) / np.sqrt(norm["running_var"] + 1e-3) * norm["weight"] + norm["bias"]
    np.testing.assert_allclose(folded, np.clip(by_hand, 0, 6), atol=1e-4)


class Harmful:
    def __reduce__(self) -> tuple[object, ...]:
        return print, ("this ran",)


def test_a_weights_file_that_names_other_code_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "weights.pth"
    path.write_bytes(b"".join(pickle.dumps(part) for part in (1, 2, {}, OrderedDict(a=Harmful()))))
    with pytest.raises(pickle.UnpicklingError, match="print"):
        efficientnet_lite.read_weights(path)
    assert "this ran" not in capsys.readouterr().out


def test_a_tensor_outside_its_storage_is_refused() -> None:
    storage = np.zeros(4, np.float32)
    with pytest.raises(pickle.UnpicklingError, match="outside"):
        efficientnet_lite._TensorReader(io.BytesIO())._tensor(storage, 1, (2, 2), (2, 1))
