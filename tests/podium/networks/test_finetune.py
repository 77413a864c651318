"""The fine-tuned network: what stays as it was, and what is saved."""

from pathlib import Path

import keras
import numpy as np
import pytest
from conftest import SUBJECTS, UNVARIED, photo

from podium import backbones, images, pixels
from podium.networks import finetune, save

SIZE, COUNT, CLASSES = 48, 16, 4
ROWS, TARGETS = np.arange(COUNT), np.eye(CLASSES, dtype=np.float32)[np.arange(COUNT) % CLASSES]
OPTIONS = {"backbone": "efficientnet_lite0", "weights": "imagenet", "size": SIZE, "sizes": [32], "epochs": 2}
OPTIONS |= {"fit": "crop", "precision": "float32"}
OPTIONS |= {"batch": 8, "learning_rate": 0.002, "weight_decay": 0.02, "label_smoothing": 0.1, "dropout": 0.2}
OPTIONS |= {"patience": 0, "frozen": 30, "augment": UNVARIED | {"area": [0.3, 1.0], "rotation": 0.1, "light": 0.3}}


@pytest.fixture(scope="module")
def part(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("finetune") / "train-0.npy"
    decoded = [images.decode(photo(SUBJECTS[number % 4], number), SIZE) for number in range(COUNT)]
    pixels.write(path, (COUNT, SIZE, SIZE, 3), decoded)
    return path


@pytest.fixture(scope="module")
def fitted(part: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[keras.Model, Path]:
    """A fit in float32, and the folder where it keeps what a killed one would go on from."""
    folder = tmp_path_factory.mktemp("resume")
    model, _ = finetune.fit([part], ROWS, TARGETS, ROWS, seed=0, resume=folder, **OPTIONS)
    return model, folder


def with_weights(model: keras.Model) -> dict[str, list[np.ndarray]]:
    """The weights of each layer in the order in which photos pass them, however deep it stands."""
    found = {}
    for layer in model.layers:
        if isinstance(layer, keras.Model):
            found |= with_weights(layer)
        elif layer.weights:
            found[layer.name] = layer.get_weights()
    return found


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_the_first_convolutions_stay_bit_for_bit_and_all_others_change(
    precision: str, part: Path, fitted: tuple[keras.Model, Path], tmp_path: Path
) -> None:
    model, frozen = fitted[0], OPTIONS["frozen"]
    if precision == "bfloat16":
        options = OPTIONS | {"precision": precision, "frozen": (frozen := 40)}
        model, _ = finetune.fit([part], ROWS, TARGETS, ROWS, seed=0, resume=tmp_path, **options)
    before, after = with_weights(backbones.build("efficientnet_lite0", policy="float32")), with_weights(model)
    assert list(after) == [*before, "probabilities"]
    for number, (name, weights) in enumerate(before.items()):
        same = [np.array_equal(a, b) for a, b in zip(weights, after[name], strict=True)]
        assert all(same) if number < frozen else not any(same), name
    assert {weight.dtype for weights in after.values() for weight in weights} == {np.dtype("float32")}
    assert {type(layer).__module__.partition(".")[0] for layer in model._flatten_layers()} == {"keras"}


def test_the_saved_network_gives_the_softmax_of_what_was_trained(part: Path, fitted: tuple[keras.Model, Path]) -> None:
    """The state that a fit keeps for a resumed one holds the trained network itself."""
    model, folder = fitted
    pretrained = backbones.build("efficientnet_lite0", policy="float32")
    trained = finetune._network(pretrained, CLASSES, OPTIONS["frozen"], OPTIONS["dropout"])
    with np.load(folder / "state.npz") as kept:
        for number, variable in enumerate(trained.variables):
            variable.assign(kept[f"arr_{number}"])
    stored = pixels.Pixels([part]).read(ROWS)
    logits = trained(stored.astype(np.float32), training=False).numpy().astype(float)
    powers = np.exp(logits - logits.max(1, keepdims=True))
    np.testing.assert_allclose(model(stored).numpy(), powers / powers.sum(1, keepdims=True), atol=1e-5)


@pytest.mark.parametrize(
    ("backbone", "precision"),
    [
        pytest.param("resnet50_v2", "float32", marks=pytest.mark.slow),
        ("mobilenet_v3_small", "bfloat16"),
    ],
)
def test_any_backbone_is_trained_and_what_is_left_of_its_batch_norm_stays(
    backbone: str, precision: str, part: Path, tmp_path: Path
) -> None:
    """Batch norms that could not be folded; depthwise layers that have a faster gradient, and some that have none."""
    options = OPTIONS | {"backbone": backbone, "weights": "none", "frozen": 1, "precision": precision}
    model, _ = finetune.fit([part], ROWS, TARGETS, ROWS, seed=0, resume=tmp_path, **options)
    plain = backbones.build(backbone, "none", policy="float32", sides=[SIZE, 32])
    norms = [layer.name for layer in plain.layers if isinstance(layer, keras.layers.BatchNormalization)]
    before, after = with_weights(plain), with_weights(model)
    assert list(after) == [*before, "probabilities"]
    assert len(norms) == (17 if backbone == "resnet50_v2" else 0)
    for number, (name, weights) in enumerate(before.items()):
        same = [np.array_equal(a, b) for a, b in zip(weights, after[name], strict=True)]
        assert all(same) == (number < 1 or name in norms), name
    save(model, list("abcd"), tmp_path / "model.keras")
    found = finetune.predict(tmp_path / "model.keras", [part], ROWS, ["plain"])
    np.testing.assert_allclose(found.sum(1), 1, atol=1e-4)


def test_a_saved_model_is_trained_and_read_again(part: Path, tmp_path: Path) -> None:
    inputs = keras.Input((None, None, 3))
    features = keras.layers.GlobalAveragePooling2D()(keras.layers.Conv2D(4, 3)(inputs))
    keras.Model(inputs, features).export(tmp_path / "hub", verbose=False)
    options = OPTIONS | {"backbone": "saved_model", "weights": str(tmp_path / "hub"), "frozen": 0}
    model, _ = finetune.fit([part], ROWS, TARGETS, ROWS, seed=0, resume=tmp_path / "resume", **options)
    before = backbones.build("saved_model", str(tmp_path / "hub"), policy="float32").get_weights()
    assert not any(np.array_equal(a, b) for a, b in zip(before, model.get_weights()[:2], strict=True))
    save(model, list("abcd"), tmp_path / "model.keras")
    stored = pixels.Pixels([part]).read(ROWS)
    found = finetune.predict(tmp_path / "model.keras", [part], ROWS, ["plain"], str(tmp_path / "hub"))
    np.testing.assert_allclose(found, model(stored), atol=1e-4)
