"""What a step sees, and that a fit which is killed ends at the weights of one that is not."""

import contextlib
import json
import logging
import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pandas as pd
import pytest
import tensorflow as tf
from conftest import PATHS, SUBJECTS, UNVARIED, dataset, photo
from sklearn.metrics import roc_auc_score

from podium import tasks
from podium.networks import cnn, finetune, freezing, training
from podium.photos import images, pixels

SIZE, COUNT, LEFT_OUT, EPOCHS = 32, 19, 9, 5
ONE_HOT = np.eye(4, dtype=np.float32)
COMMON = {"size": SIZE, "precision": "float32", "epochs": EPOCHS, "batch": 8, "learning_rate": 0.002}
COMMON |= {"fit": "crop", "weight_decay": 0.01, "label_smoothing": 0.1, "dropout": 0.3, "patience": 0}
# Everything that is drawn at random is switched on.
AUGMENT = UNVARIED | {"area": [0.3, 1.0], "aspect": 1.3, "shift": 0.1, "rotation": 0.1, "flip": True, "light": 0.4}
AUGMENT |= {"colour": 0.1, "mixup": 0.5, "cutmix": 0.5, "corruptions": ["plain", "noise-0.1"]}
COMMON |= {"augment": AUGMENT}
PRETRAINED = {"backbone": "efficientnet_lite0", "weights": "imagenet", "sizes": [32], "frozen": 0.2}
OPTIONS: dict[str, dict[str, Any]] = {"cnn": COMMON | {"width": 4}, "finetune": COMMON | PRETRAINED}
# The epochs at whose end the process is killed, before or after its state is kept.
KILLS = {"cnn": [(1, "before"), (3, "after"), (4, "after")], "finetune": [(1, "after")]}

FIT = """
import json, os, signal, sys
from pathlib import Path
import numpy as np
from conftest import dataset
from podium import tasks
from podium.networks import cnn, finetune, freezing, training

network, options, part, resume, kill, out = json.loads(sys.argv[1])
keep = training._Backup.on_epoch_end

def killed(self, epoch, logs=None):
    for moment in ("before", "after"):
        if kill == [epoch, moment]:
            os.kill(os.getpid(), signal.SIGKILL)
        if moment == "before":
            keep(self, epoch, logs)

training._Backup.on_epoch_end = killed
rows, one_hot = np.arange(19), np.eye(4, dtype=np.float32)
fit = {"cnn": cnn, "finetune": finetune}[network].fit
left_out = (19 + np.arange(9), one_hot[np.arange(9) % 4])
options |= {"seed": 3, "resume": Path(resume)}
model, history = fit(dataset([Path(part)], rows, one_hot[rows % 4], rows, left_out), **options)
np.savez(out, *model.get_weights())
history.to_csv(f"{out}.csv", index=False)
"""


@pytest.fixture(scope="module")
def part(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The pixels of real photos of four subjects."""
    path = tmp_path_factory.mktemp("training") / "train-0.npy"
    decoded = [images.decode(photo(SUBJECTS[number % 4], number), SIZE) for number in range(COUNT + LEFT_OUT)]
    pixels.write(path, (COUNT + LEFT_OUT, SIZE, SIZE, 3), decoded)
    return path


@pytest.mark.parametrize("network", ["cnn", pytest.param("finetune", marks=pytest.mark.slow)])
def test_a_fit_that_is_killed_ends_where_it_would_have_ended(network: str, part: Path, tmp_path: Path) -> None:
    """Also at the weights of a fit that measures nothing: photos that are left out decide nothing."""
    rows, options, out = np.arange(COUNT), OPTIONS[network], tmp_path / "fit.npz"
    fit = {"cnn": cnn, "finetune": finetune}[network].fit
    left_out = (COUNT + np.arange(LEFT_OUT), ONE_HOT[np.arange(LEFT_OUT) % 4])
    fits = {}
    for name, measured in (("whole", left_out), ("alone", None)):
        given = options | {"resume": tmp_path / name}
        fits[name] = fit(dataset([part], rows, ONE_HOT[rows % 4], rows, measured), seed=3, **given)
    (model, history), (alone, unmeasured) = fits["whole"], fits["alone"]
    assert list(history.epoch) == [1, 2, 3, 4, 5]
    assert np.isfinite(history[["val_loss", "val_accuracy"]]).all(axis=None)
    pd.testing.assert_frame_equal(history[["epoch", "loss", "accuracy"]], unmeasured, check_exact=True)
    for ours, theirs in zip(alone.get_weights(), model.get_weights(), strict=True):
        np.testing.assert_array_equal(ours, theirs)
    truth = np.arange(LEFT_OUT) % 4
    answers = model(pixels.Pixels([part])[left_out[0]]).numpy().argmax(1)
    assert history.val_accuracy.iloc[-1] == pytest.approx((answers == truth).mean())
    for kill in [*KILLS[network], None]:
        given = json.dumps([network, options, str(part), str(tmp_path / "resume"), kill, str(out)])
        command = [sys.executable, "-c", FIT, given]
        environment = os.environ | {"PYTHONPATH": PATHS}
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == (-signal.SIGKILL if kill else 0), done.stderr
        assert out.exists() == (not kill)
    with np.load(out) as found:
        for ours, theirs in zip(found.values(), model.get_weights(), strict=True):
            np.testing.assert_array_equal(ours, theirs)
    pd.testing.assert_frame_equal(pd.read_csv(f"{out}.csv"), history, check_exact=True)


def test_a_step_that_float16_skipped_is_not_repeated(
    part: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Gradients too large for float16 leave the weights alone; a fit that is through stays through all the same."""
    scaled = keras.optimizers.LossScaleOptimizer
    monkeypatch.setattr(keras.optimizers, "LossScaleOptimizer", lambda inner: scaled(inner, initial_scale=2.0**18))
    rows, options = np.arange(COUNT), OPTIONS["cnn"] | {"precision": "float16", "epochs": 3, "dropout": 0.0}
    fits = [
        cnn.fit(dataset([part], rows, ONE_HOT[rows % 4], rows), seed=0, resume=tmp_path, **options) for _ in range(2)
    ]
    (first, before), (second, after) = fits
    pd.testing.assert_frame_equal(after, before)
    for a, b in zip(first.get_weights(), second.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


TWO_DEVICES = """
import json, sys
from pathlib import Path
import numpy as np
import tensorflow as tf

cpu = tf.config.list_physical_devices("CPU")[0]
tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
from podium import device
from conftest import dataset
from podium.networks import finetune, freezing

device.strategy = lambda gpus: tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])
freezing.CLIP = None
options, part, resume, out = json.loads(sys.argv[1])
rows, one_hot = np.arange(16), np.eye(4, dtype=np.float32)
for number in range(2):  # the second one finds nothing left to do
    data = dataset([Path(part)], rows, one_hot[rows % 4], rows)
    model, history = finetune.fit(data, seed=3, resume=Path(resume), **options)
    np.savez(f"{out}{number}.npz", *model.get_weights())
    history.to_csv(f"{out}{number}.csv", index=False)
"""


def test_two_devices_fit_what_one_does(part: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two halves of the processor stand for two GPUs. Gradients are clipped on each alone, so here they are not."""
    options = OPTIONS["finetune"] | {"epochs": 2, "frozen": 0.8, "dropout": 0.0}
    options["augment"] = AUGMENT | {"mixup": 0.0, "cutmix": 0.0}
    given = json.dumps([options, str(part), str(tmp_path / "two"), str(tmp_path / "fit")])
    environment = os.environ | {"PYTHONPATH": PATHS}
    command = [sys.executable, "-c", TWO_DEVICES, given]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    monkeypatch.setattr(freezing, "CLIP", None)
    rows = np.arange(16)
    _, history = finetune.fit(
        dataset([part], rows, ONE_HOT[rows % 4], rows), seed=3, resume=tmp_path / "one", **options
    )
    first, second = (pd.read_csv(tmp_path / f"fit{number}.csv") for number in range(2))
    np.testing.assert_allclose(first.loss, history.loss, rtol=1e-3)
    pd.testing.assert_frame_equal(second, first)
    with np.load(tmp_path / "fit0.npz") as before, np.load(tmp_path / "fit1.npz") as after:
        for a, b in zip(before.values(), after.values(), strict=True):
            np.testing.assert_array_equal(a, b)


def drawn(some: np.ndarray, random: np.random.Generator, epoch: int) -> tuple[Any, ...]:
    """The numbers of a step's photos, its epoch, and a random number for each photo."""
    return some, np.int64(epoch), random.random(len(some))


def plain(some: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Photos of one pixel, which is the number of the photo."""
    return some.reshape(-1, 1, 1, 1), ONE_HOT[some % 4]


FEED = training.Feed(drawn, (tf.int64, tf.int64, tf.float64), lambda *given: given, plain)


def seen(count: int, batch: int, epochs: int, done: int = 0, seed: int = 0) -> list[tuple[np.ndarray, ...]]:
    """What the steps of all epochs but the first `done` see."""
    schedule, steps = training.Schedule(epochs, batch, 0.1, 0, 0), max(count // batch, 1)
    return list(training._batches(FEED, np.arange(count), schedule, steps, done, seed).as_numpy_iterator())


@pytest.mark.parametrize(
    ("count", "batch", "sizes"),
    [(19, 8, [8, 8]), (16, 8, [8, 8]), (5, 8, [5]), (1, 8, [1]), (3, 1, [1, 1, 1])],
    ids=["the rest waits for another epoch", "even", "fewer than a batch", "one photo", "batches of one"],
)
def test_an_epoch_is_whole_batches_of_photos_that_each_stand_there_once(
    count: int, batch: int, sizes: list[int]
) -> None:
    steps = seen(count, batch, epochs=6)
    assert [len(some) for some, _, _ in steps] == sizes * 6
    assert [int(epoch) for _, epoch, _ in steps] == [epoch for epoch in range(6) for _ in sizes]
    for start in range(0, len(steps), len(sizes)):
        together = np.concatenate([some for some, _, _ in steps[start : start + len(sizes)]])
        assert len(set(together)) == len(together)
    assert set(np.concatenate([some for some, _, _ in steps])) == set(range(count))


def test_a_step_depends_on_the_seed_the_epoch_and_its_number_alone() -> None:
    """Whichever epochs came before it in this process; and no two steps draw the same."""
    whole = seen(19, 8, epochs=4)
    for done in range(4):
        for again, first in zip(seen(19, 8, epochs=4, done=done), whole[2 * done :], strict=True):
            for a, b in zip(again, first, strict=True):
                np.testing.assert_array_equal(a, b)
    assert len({tuple(some) for some, _, _ in whole}) == len({tuple(random) for _, _, random in whole}) == 8
    other = seen(19, 8, epochs=4, seed=1)
    assert not any((a[2] == b[2]).any() for a, b in zip(other, whole, strict=True))


@pytest.mark.parametrize("count", [5, 19])
def test_few_photos_are_fitted_too(count: int, part: Path, tmp_path: Path) -> None:
    rows, options = np.arange(count), OPTIONS["cnn"] | {"epochs": 2}
    model, history = cnn.fit(dataset([part], rows, ONE_HOT[rows % 4], rows), seed=0, resume=tmp_path, **options)
    assert list(history.epoch) == [1, 2]
    assert np.isfinite(history.loss).all()
    assert model(pixels.Pixels([part])[rows]).shape == (count, 4)


def test_photos_that_decide_when_to_stop_are_a_tenth_of_whole_groups_and_none_that_teachers_label() -> None:
    groups = np.concatenate([np.arange(400) // 2, np.full(50, -1)])
    labels = np.arange(450) % 4
    held = training._stopping(labels, groups, seed=3)
    assert held.sum() == 40
    assert not held[400:].any()
    assert not set(groups[held]) & set(groups[~held])
    assert (held != training._stopping(labels, groups, seed=4)).any()
    one = np.zeros(3, int)
    assert training._stopping(one, np.array([0, 1, 1]), seed=0).any()
    assert not training._stopping(one, np.array([0, 0, -1]), seed=0).any()  # nothing to spare
    assert not training._stopping(np.arange(30), np.arange(30), seed=0).any()  # the only photos of their classes


@pytest.mark.parametrize(("devices", "sizes"), [(1, [16, 16, 7]), (2, [16, 16, 8]), (3, [15, 15, 9])])
def test_photos_that_are_not_trained_on_are_shown_as_they_are_and_as_many_on_each_device(
    devices: int, sizes: list[int]
) -> None:
    some = np.arange(5, 44)
    shown = list(training._unvaried(FEED, some, 16, devices).as_numpy_iterator())
    assert [len(photos) for photos, _ in shown] == sizes
    numbers = np.concatenate([photos.ravel() for photos, _ in shown])
    np.testing.assert_array_equal(numbers, [*some, *some[: sum(sizes) - len(some)]])
    np.testing.assert_array_equal(np.concatenate([targets for _, targets in shown]), ONE_HOT[numbers.astype(int) % 4])


def test_where_no_photo_can_be_spared_a_fit_runs_through(part: Path, tmp_path: Path) -> None:
    rows, options = np.arange(8), OPTIONS["cnn"] | {"epochs": 4, "patience": 2}
    _, history = cnn.fit(dataset([part], rows, ONE_HOT[rows % 4], np.zeros(8, int)), seed=0, resume=tmp_path, **options)
    assert list(history) == ["epoch", "loss", "accuracy"]
    assert len(history) == 4


def watched(states: list[list[np.ndarray]], kill: int | None) -> Callable[..., None]:
    """What a fit does at the end of an epoch; its weights are noted, and behind the epoch `kill` it is broken off."""
    keep = training._Backup.on_epoch_end

    def on_epoch_end(self: Any, epoch: int, logs: Any = None) -> None:
        keep(self, epoch, logs)
        states.append(self.model.get_weights())
        if epoch == kill and len(states) == epoch + 1:
            raise KeyboardInterrupt

    return on_epoch_end


def test_each_epoch_is_one_line_and_a_long_one_says_how_far_it_is(
    part: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "podium")
    rows, left_out = np.arange(COUNT), (COUNT + np.arange(LEFT_OUT), ONE_HOT[np.arange(LEFT_OUT) % 4])
    options = OPTIONS["cnn"] | {"epochs": 3}
    _, history = cnn.fit(
        dataset([part], rows, ONE_HOT[rows % 4], rows, left_out), seed=0, resume=tmp_path / "a", **options
    )
    told = [message for message in caplog.messages if message.startswith("epoch ")]
    for row, message in zip(history.itertuples(), told, strict=True):
        ours, theirs = (row.loss, row.accuracy), (row.val_loss, row.val_accuracy)
        figures = "loss {:.2f}, accuracy {:.2f}; left out: loss {:.2f}, accuracy {:.2f}".format(*ours, *theirs)
        assert message.startswith(f"epoch {row.epoch} of 3: {figures}; ")
        left = "" if row.epoch == 3 else r", \d+ (s|min) left"
        assert re.search(rf"; [\d,]+ photos/s{left}$", message)
    caplog.clear()
    monkeypatch.setattr(training, "SECONDS_BETWEEN_LINES", 0.0)
    early = OPTIONS["cnn"] | {"epochs": 2, "patience": 1}
    cnn.fit(dataset([part], rows, ONE_HOT[rows % 4], rows), seed=0, resume=tmp_path / "b", **early)
    told = [message for message in caplog.messages if message.startswith("epoch ")]
    assert told[:2] == ["epoch 1 of 2: 8 of 16 photos", "epoch 1 of 2: 16 of 16 photos"]
    assert "; early stopping: loss " in told[2]
    assert ", at most " in told[2]


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (0.2, "10 s"),
        (34, "30 s"),
        (89, "90 s"),
        (95, "2 min"),
        (3560, "59 min"),
        (3590, "1 h 0 min"),
        (9000, "2 h 30 min"),
    ],
)
def test_time_is_said_as_exactly_as_it_is_known(seconds: float, said: str) -> None:
    assert training._roughly(seconds) == said


@pytest.mark.parametrize("kill", [2, 4])
def test_a_fit_stops_early_at_its_best_weights_also_where_it_was_killed(kill: int, part: Path, tmp_path: Path) -> None:
    """So high a learning rate spoils a net that was better before; each epoch's state is looked at from outside."""
    rows = np.arange(COUNT)
    data = dataset([part], rows, ONE_HOT[rows % 4], rows)
    options = OPTIONS["cnn"] | {"epochs": 40, "patience": 3, "learning_rate": 0.05, "dropout": 0.0}
    fits = {}
    for name in ("whole", "killed"):
        states: list[list[np.ndarray]] = []
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(training._Backup, "on_epoch_end", watched(states, kill if name == "killed" else None))
            for _ in range(3):  # the last time, nothing is left to do
                with contextlib.suppress(KeyboardInterrupt):
                    fits[name] = cnn.fit(data, seed=3, resume=tmp_path / name, **options)
        best = int(fits[name][1].val_guide.argmin())
        assert len(states) == len(fits[name][1]) == best + 1 + options["patience"] < options["epochs"]
        for ours, theirs in zip(states[best], fits[name][0].get_weights(), strict=True):
            np.testing.assert_array_equal(ours, theirs)
    pd.testing.assert_frame_equal(fits["whole"][1], fits["killed"][1], check_exact=True)
    assert list(fits["whole"][1]) == ["epoch", "loss", "accuracy", "val_loss", "val_accuracy", "val_guide"]


def test_a_fit_stops_where_the_metric_is_best_and_of_equally_good_epochs_where_the_loss_is(
    part: Path, tmp_path: Path
) -> None:
    """The photos that decide are foretold with each epoch's weights, and judged by scikit-learn."""
    rows, states = np.arange(COUNT), list[list[np.ndarray]]()
    data = dataset([part], rows, ONE_HOT[rows % 4], rows // 10)
    data = replace(data, task=tasks.task({"classification": {"metric": "roc_auc"}}))
    options = OPTIONS["cnn"] | {"epochs": 6, "patience": 6, "dropout": 0.0}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(training._Backup, "on_epoch_end", watched(states, None))
        model, history = cnn.fit(data, seed=3, resume=tmp_path, **options)
    held, kept = np.flatnonzero(training._stopping(data.strata(), data.groups, 3)), model.get_weights()
    for state, guide in zip(states, history.val_guide, strict=True):
        model.set_weights(state)
        said = np.asarray(model(np.load(part)[held].astype(np.float32)))
        assert guide == pytest.approx(-roc_auc_score(ONE_HOT[held % 4], said, average="macro"))
    best = history.sort_values(["val_guide", "val_loss"]).index[0]
    for ours, theirs in zip(states[best], kept, strict=True):
        np.testing.assert_array_equal(ours, theirs)
