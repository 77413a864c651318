"""What every saved model promises: any size of uint8 photo, the same bytes, the same answers in a new process."""

import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path
from types import ModuleType

import numpy as np
import pandas as pd
import pytest
from conftest import ROOT, SUBJECTS, TASK, UNVARIED, dataset, encoded, joined, photo, subject

from podium.models.writing import calibrated, for_any_size, save
from podium.networks import cnn, finetune, head, mlp
from podium.networks.data import Dataset
from podium.photos import images, pixels, views
from podium.tables import write_csv
from podium.tasks import task

SIZE = 32
CNN = {"size": SIZE, "precision": "float32", "epochs": 4, "batch": 8, "learning_rate": 0.005, "weight_decay": 0.01}
CNN |= {"fit": "crop", "label_smoothing": 0.0, "dropout": 0.0, "patience": 0}
AUGMENT = UNVARIED | {"area": [0.8, 1.2], "shift": 0.1, "rotation": 0.02, "flip": True}
FINETUNE = CNN | {"backbone": "efficientnet_lite0", "weights": "imagenet", "sizes": [32], "epochs": 2, "frozen": 0.8}
FINETUNE |= {"augment": AUGMENT | {"area": [0.3, 1.0], "light": 0.4, "colour": 0.1, "mixup": 0.2, "cutmix": 0.2}}
CNN |= {"augment": AUGMENT}
MLP = CNN | {"layers": [32, 16]}
CNN |= {"width": 8}
HEAD = {
    "backbone": "efficientnet_lite0",
    "weights": "imagenet",
    "precision": "float32",
    "size": SIZE,
    "fit": "crop",
    "views": ["plain", "flip"],
    "penalties": [10.0],
}
EMBED = {"part": "train-0", "views": ["plain", "flip"]} | {key: HEAD[key] for key in ("backbone", "weights")}

RELOAD = """
import sys, numpy, keras
model = keras.models.load_model(sys.argv[1])
numpy.save(sys.argv[3], model(numpy.load(sys.argv[2])).numpy())
"""


@pytest.fixture(scope="module")
def parts(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """32 real photos of 4 subjects as pixels and as embeddings."""
    from embed import embed

    folder = tmp_path_factory.mktemp("parts")
    decoded = [images.decode(photo(name, number), SIZE) for number in range(8) for name in SUBJECTS]
    pixels.write(folder / "train-0.npy", (len(decoded), SIZE, SIZE, 3), decoded)
    write_csv(folder / "index.csv", pd.DataFrame({"split": "train", "part": ["train-0"] * len(decoded)}))
    embed(folder / "train-0.npy", folder / "index.csv", folder / "embeddings.npy", precision="float32", **EMBED)
    return dict.fromkeys(["cnn", "finetune", "mlp"], folder / "train-0.npy") | {"head": folder / "embeddings.npy"}


ROWS, TARGETS = np.arange(32), np.eye(4, dtype=np.float32)[np.arange(32) % 4]
NETWORKS = [(cnn, CNN), (finetune, FINETUNE), (head, HEAD), (mlp, MLP)]


@pytest.mark.parametrize(("network", "options"), NETWORKS, ids=["cnn", "finetune", "head", "mlp"])
def test_a_saved_model_keeps_its_promises(network, options, parts: dict[str, Path], tmp_path: Path) -> None:
    part = parts[network.__name__.rpartition(".")[2]]
    paths = [tmp_path / f"{number}.keras" for number in range(2)]
    for path in paths:
        model, history = network.fit(
            dataset([part], ROWS, TARGETS, ROWS), seed=1, resume=path.with_suffix(""), **options
        )
        save(model, TASK, list(SUBJECTS), [], path)
        assert len(history) >= 1
    found = joined(network.predict(paths[0], [part], ROWS, ["plain"]))
    np.testing.assert_array_equal(found, joined(network.predict(paths[1], [part], ROWS, ["plain"])))
    assert found.shape == (32, 4)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found.sum(1), 1, atol=1e-5)

    # The file itself, on pixels, gives what `predict` gave from its own kind of file.
    stored = pixels.Pixels([parts["cnn"]])[ROWS]
    np.testing.assert_allclose(model(stored).numpy(), found, atol=2e-4)
    # Any size, also not square; and the same in a process that knows nothing of Podium.
    tall = np.asarray(images.Image.fromarray(stored[0]).resize((50, 70)))[None]
    assert model(tall).shape == (1, 4)
    np.save(tmp_path / "in.npy", stored)
    # The one that is calibrated, so that the other's promise is seen through it.
    calibrated(paths[0], tmp_path / "calibrated.keras", 1.7, views=["plain"])
    command = [sys.executable, "-c", RELOAD, tmp_path / "calibrated.keras", tmp_path / "in.npy", tmp_path / "out.npy"]
    subprocess.run(command, check=True, cwd=ROOT.parent)
    np.testing.assert_allclose(np.load(tmp_path / "out.npy"), TASK.link.tempered(model(stored).numpy(), 1.7), atol=1e-5)
    assert np.abs(np.load(tmp_path / "out.npy") - model(stored).numpy()).max() > 1e-3

    metadata = [json.loads(zipfile.ZipFile(path).read("metadata.json")) for path in (paths[0], command[3])]
    assert metadata[0]["classes"] == list(SUBJECTS)
    assert metadata[1] == metadata[0] | {"temperature": 1.7, "views": ["plain"]}


def test_a_model_on_bfloat16_embeddings_agrees_with_its_predictions(parts: dict[str, Path], tmp_path: Path) -> None:
    from embed import embed

    part, options = tmp_path / "embeddings.npy", HEAD | {"precision": "bfloat16"}
    embed(parts["cnn"], parts["cnn"].with_name("index.csv"), part, precision="bfloat16", **EMBED)
    model, _ = head.fit(dataset([part], ROWS, TARGETS, ROWS), seed=0, resume=tmp_path, **options)
    save(model, TASK, list(SUBJECTS), [], tmp_path / "model.keras")
    found = joined(head.predict(tmp_path / "model.keras", [part], ROWS, ["plain"]))
    # As a graph, in which TensorFlow rounds as `embed` does; called eagerly it rounds after each operation.
    stored = pixels.Pixels([parts["cnn"]])[ROWS]
    np.testing.assert_allclose(model.predict(stored, verbose=0), found, atol=1e-4)


@pytest.mark.parametrize("sides", [(120, 76), (76, 120)], ids=["wide", "tall"])
@pytest.mark.parametrize("fit", ["crop", "pad", "squash"])
def test_the_model_makes_squares_as_preprocess_does(fit: str, sides: tuple[int, int]) -> None:
    import keras

    inputs = keras.Input((SIZE, SIZE, 3))
    model = for_any_size(keras.Model(inputs, keras.layers.Identity()(inputs)), SIZE, fit)
    whole = subject("chelsea").resize(sides)
    seen, data = model(np.asarray(whole)[None]).numpy()[0].astype(float), encoded(whole, "PNG")
    # Where a bar begins the model resamples it with the photo.
    assert np.abs(seen - images.decode(data, SIZE, fit)).mean() < 2
    for other in {"crop", "pad", "squash"} - {fit}:
        assert np.abs(seen - images.decode(data, SIZE, other)).mean() > 8


TRAINED = {"cnn": CNN, "finetune": FINETUNE, "mlp": MLP}
FIT = """
import sys, numpy
from pathlib import Path
from types import ModuleType
from conftest import TASK, dataset
from podium.models.writing import save
from podium.networks import cnn, finetune, mlp
seed, part, folder = int(sys.argv[1]), Path(sys.argv[2]), Path(sys.argv[3])
rows, one_hot = numpy.arange(32), numpy.eye(4, dtype=numpy.float32)
for name, options in OPTIONS.items():
    fit = {"cnn": cnn, "finetune": finetune, "mlp": mlp}[name].fit
    model, _ = fit(dataset([part], rows, one_hot[rows % 4], rows), seed=seed, resume=folder / name, **options)
    save(model, TASK, list("abcd"), [], folder / f"{name}.keras")
"""


def test_the_same_seed_writes_the_same_bytes_in_new_processes(parts: dict[str, Path], tmp_path: Path) -> None:
    """With dropout, and whatever else is drawn, switched on; another seed gives other weights."""
    options = {name: each | {"dropout": 0.2, "epochs": 2} for name, each in TRAINED.items()}
    folders = [tmp_path / name for name in ("first", "second", "other")]
    for folder, seed in zip(folders, (3, 3, 4), strict=True):
        folder.mkdir()
        command = [sys.executable, "-c", FIT.replace("OPTIONS", repr(options)), str(seed), parts["cnn"], folder]
        subprocess.run(
            command, check=True, env=os.environ | {"PYTHONPATH": f"{ROOT / 'workflow/scripts'}:{ROOT / 'tests'}"}
        )
    for name in options:
        first, second, other = ((folder / f"{name}.keras").read_bytes() for folder in folders)
        assert first == second, name
        assert first != other, name


@pytest.mark.parametrize(("network", "options"), [(cnn, CNN), (mlp, MLP)], ids=["cnn", "mlp"])
def test_what_is_fitted_from_scratch_learns_and_its_views_are_averaged(
    network: ModuleType, options: dict[str, object], parts: dict[str, Path], tmp_path: Path
) -> None:
    options = options | {"epochs": 30}
    model, history = network.fit(dataset([parts["cnn"]], ROWS, TARGETS, ROWS), seed=0, resume=tmp_path, **options)
    assert history.loss.iloc[-1] < history.loss.iloc[0] / 2
    save(model, TASK, list(SUBJECTS), [], tmp_path / "model.keras")
    found = {
        view: joined(network.predict(tmp_path / "model.keras", [parts["cnn"]], ROWS, [view])) for view in views.FIXED
    }
    np.testing.assert_allclose(
        joined(network.predict(tmp_path / "model.keras", [parts["cnn"]], ROWS, list(views.FIXED))),
        np.mean(list(found.values()), axis=0),
        atol=1e-6,
    )
    flipped = model(np.ascontiguousarray(pixels.Pixels([parts["cnn"]])[ROWS][:, :, ::-1])).numpy()
    np.testing.assert_allclose(found["flip"], flipped, atol=1e-3)


def test_several_labels_are_learned_by_a_network_on_pixels(parts: dict[str, Path], tmp_path: Path) -> None:
    """Two of three labels say which subject a photo shows; what is measured beside the loss is the task's figure."""
    several = task({"multilabel": {"separator": " "}})
    truth = np.stack([ROWS % 4 == 0, ROWS % 4 < 2, np.ones(32, bool), np.zeros(32, bool)], axis=1)
    none = np.zeros((0, 3), np.float32)
    data = Dataset(several, ["a", "b", "c"], [parts["cnn"]], ROWS, truth, ROWS, none)
    model, history = cnn.fit(data, seed=0, resume=tmp_path, **(CNN | {"epochs": 12}))
    assert list(history) == ["epoch", "loss", "samples_f1"]
    save(model, several, data.labels, [], tmp_path / "model.keras")
    found = joined(cnn.predict(tmp_path / "model.keras", [parts["cnn"]], ROWS, ["plain"]))
    figures = several.figures(several.evidence(truth, found, {}))
    assert figures["macro_auc"] > 0.95
    assert figures["samples_f1"] > 0.9
    assert history.samples_f1.iloc[-1] > 0.8 > history.samples_f1.iloc[0] - 0.2


PRICES = task({"regression": {"range": None, "columns": ["price", "weight"]}})
GRADES = {fit: task({"ordinal": {"fit": fit}}) for fit in ("cumulative", "regression")}
# Numbers far from zero and of different sizes, by the photos' subjects, and places of grades; each with its labels.
TOLD = {
    "numbers": (PRICES, ["price", "weight"], np.stack([1000 + 10.0 * (ROWS % 4), -0.02 * (ROWS % 4)], axis=1)),
    "grades": (GRADES["cumulative"], list("0123"), ROWS % 4),
    "grades as numbers": (GRADES["regression"], list("0123"), ROWS % 4),
}
QUICK = [(mlp, MLP, "numbers"), (head, HEAD, "numbers"), (head, HEAD, "grades")]
MORE = [(mlp, MLP, "grades"), (mlp, MLP, "grades as numbers"), (head, HEAD, "grades as numbers")]
MORE += [(network, options, told) for network, options in ((cnn, CNN), (finetune, FINETUNE)) for told in TOLD]


@pytest.mark.parametrize(
    ("network", "options", "told"), [*QUICK, *(pytest.param(*each, marks=pytest.mark.slow) for each in MORE)]
)
def test_numbers_and_grades_come_out_of_a_saved_model_in_their_own_units(
    network: ModuleType, options: dict[str, object], told: str, parts: dict[str, Path], tmp_path: Path
) -> None:
    """What was fitted on a scale of its own; the mean of what is said is that of the truth, and it is learned."""
    asked, labels, truth = TOLD[told]
    part, outputs = parts[network.__name__.rpartition(".")[2]], asked.outputs(labels)
    data = Dataset(asked, labels, [part], ROWS, truth, ROWS, np.zeros((0, outputs), np.float32))
    options = options | ({"epochs": 12, "augment": UNVARIED} if "epochs" in options else {})
    model, _ = network.fit(data, seed=1, resume=tmp_path / "resume", **options)
    save(model, asked, labels, [], tmp_path / "model.keras")
    found = joined(network.predict(tmp_path / "model.keras", [part], ROWS, ["plain"]))
    np.testing.assert_allclose(model(pixels.Pixels([parts["cnn"]])[ROWS]).numpy(), found, rtol=1e-4, atol=1e-3)
    wanted = asked.targets(truth, outputs)
    spread = wanted.std(0)
    assert (np.abs(found.mean(0) - wanted.mean(0)) < spread).all()
    assert (np.abs(found - wanted).mean(0) < 0.95 * np.abs(wanted - wanted.mean(0)).mean(0)).all()
