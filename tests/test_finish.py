"""A finished model gives calibrated probabilities, and says in its file how it is used."""

import json
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import TASK

from finish import finish
from podium.models.reading import saved_metadata
from podium.models.writing import for_any_size, save
from podium.networks import mlp

SIZE, LABELS = 8, ["NA", "a,b", "c"]
FOUND = {"temperature": 9.0, "test_temperature": 9.0, "model_temperature": 2.5, "fit_temperature": 1.5}
FOUND |= {"views": ["plain", "flip"], "fits": ["seed0-all"]}
SAID = ("calibration.json", "decision.json")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small network with several layers of the kind that its logits come from, and what calibration found."""
    import keras

    folder = tmp_path_factory.mktemp("finish")
    keras.utils.set_random_seed(0)
    logits = mlp._network(SIZE, 3, [16, 16], 0.0, "float32")
    probabilities = keras.layers.Softmax(name="probabilities")(logits.output)
    save(
        for_any_size(keras.Model(logits.input, probabilities), SIZE, "crop"), TASK, LABELS, [], folder / "fitted.keras"
    )
    (folder / "calibration.json").write_text(json.dumps(FOUND))
    (folder / "decision.json").write_text(json.dumps({"decision": {"offsets": [0.5, 0.0, 0.0]}, "plain": {}}))
    finish(*(folder / name for name in ("fitted.keras", *SAID, "model.keras")))
    return folder


def test_the_logits_are_divided_and_nothing_else_changes(folder: Path) -> None:
    import keras

    photos = np.random.default_rng(0).integers(0, 256, (5, 20, 30, 3), dtype=np.uint8)
    before, after = (keras.models.load_model(folder / f"{name}.keras") for name in ("fitted", "model"))
    expected = TASK.link.tempered(before.predict(photos, verbose=0), FOUND["model_temperature"])
    np.testing.assert_allclose(after.predict(photos, verbose=0), expected, atol=1e-6)
    differ = [bool((a != b).any()) for a, b in zip(before.get_weights(), after.get_weights(), strict=True)]
    assert differ == [False] * (len(differ) - 2) + [True, False]  # the bias is still zero


def test_the_file_alone_says_what_is_needed_to_use_it(folder: Path) -> None:
    said = saved_metadata(folder / "model.keras")
    expected: dict[str, Any] = {"classes": LABELS, "temperature": 2.5, "views": ["plain", "flip"]}
    assert said.items() >= {**expected, "views_temperature": 1.5, "decision": {"offsets": [0.5, 0.0, 0.0]}}.items()
    assert "temperature" not in saved_metadata(folder / "fitted.keras")


def test_a_temperature_of_1_leaves_every_weight_and_two_runs_write_the_same_bytes(folder: Path, tmp_path: Path) -> None:
    finish(*(folder / name for name in ("fitted.keras", *SAID)), tmp_path / "again.keras")
    assert (tmp_path / "again.keras").read_bytes() == (folder / "model.keras").read_bytes()
    (tmp_path / "calibration.json").write_text(json.dumps(FOUND | {"model_temperature": 1.0}))
    paths = folder / "fitted.keras", tmp_path / "calibration.json", folder / "decision.json"
    finish(*paths, tmp_path / "same.keras")
    members = [
        zipfile.ZipFile(path).read("model.weights.h5") for path in (folder / "fitted.keras", tmp_path / "same.keras")
    ]
    assert members[0] == members[1]
