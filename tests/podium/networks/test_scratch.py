"""What a network that was fitted from scratch gives, in the units of what it was fitted to."""

from pathlib import Path
from typing import Any

import keras
import numpy as np
import pandas as pd
import pytest
from conftest import UNVARIED

from podium.networks import scratch
from podium.networks.data import Dataset
from podium.photos import pixels
from podium.tasks import task

SIDE, LABELS = 8, ["price", "weight"]
NUMBERS = task({"regression": {"range": None, "columns": LABELS}})


def test_numbers_are_what_the_trained_network_says_times_their_deviation(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """To the last digit, whatever the weights; no photo is needed to see that."""
    random = np.random.default_rng(0)
    photos = random.integers(0, 256, (6, SIDE, SIDE, 3)).astype(np.uint8)
    pixels.write(tmp_path / "train-0.npy", photos.shape, photos)
    truth, none = random.normal(size=(6, 2)) * [10, 0.01] + [1000, -3], np.zeros((0, 2), np.float32)
    data = Dataset(NUMBERS, LABELS, [tmp_path / "train-0.npy"], np.arange(6), truth, np.arange(6), none)
    inputs = keras.Input((SIDE, SIDE, 3))
    said = keras.layers.Dense(2)(keras.layers.Flatten()(keras.layers.Rescaling(1 / 255)(inputs)))
    network = keras.Model(inputs, said)
    expected = network(photos.astype(np.float32)).numpy() * truth.std(0) + truth.mean(0)

    def trained(*_: Any, **__: Any) -> tuple[keras.Model, pd.DataFrame]:
        return network, pd.DataFrame()

    monkeypatch.setattr(scratch.training, "fit", trained)
    schedule = {"epochs": 1, "batch": 2, "learning_rate": 0.1, "weight_decay": 0.0, "label_smoothing": 0.0}
    given = {"seed": 0, "resume": tmp_path, "fit": "crop", "precision": "float32", "augment": UNVARIED}
    model, _ = scratch.fit(lambda _: network, data, **given, **schedule)
    np.testing.assert_allclose(model(photos).numpy(), expected, rtol=1e-5)
