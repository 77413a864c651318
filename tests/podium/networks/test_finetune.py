"""The fine-tuned network: what stays as it was, and what is saved."""

from pathlib import Path

import keras
import numpy as np
import pytest
import yaml
from conftest import ROOT, SUBJECTS, TASK, UNVARIED, dataset, joined, photo

from podium import backbones
from podium.models.writing import save
from podium.networks import finetune
from podium.networks.data import Dataset
from podium.photos import images, pixels
from podium.step import BadInput
from podium.tasks import task

SIZE, COUNT, CLASSES = 48, 16, 4
ROWS, TARGETS = np.arange(COUNT), np.eye(CLASSES, dtype=np.float32)[np.arange(COUNT) % CLASSES]
OPTIONS = {"backbone": "efficientnet_lite0", "weights": "imagenet", "size": SIZE, "sizes": [32], "epochs": 2}
OPTIONS |= {"fit": "crop", "precision": "float32"}
OPTIONS |= {"batch": 8, "learning_rate": 0.002, "weight_decay": 0.02, "label_smoothing": 0.1, "dropout": 0.2}
OPTIONS |= {
    "patience": 0,
    "frozen": "block9",
    "augment": UNVARIED | {"area": [0.3, 1.0], "rotation": 0.1, "light": 0.3},
}


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
    model, _ = finetune.fit(dataset([part], ROWS, TARGETS, ROWS), seed=0, resume=folder, **OPTIONS)
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
    model, frozen = fitted[0], 30
    if precision == "bfloat16":
        frozen = 40
        options = OPTIONS | {"precision": precision, "frozen": frozen / 49}
        model, _ = finetune.fit(dataset([part], ROWS, TARGETS, ROWS), seed=0, resume=tmp_path, **options)
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
    stored = pixels.Pixels([part])[ROWS]
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
    options = OPTIONS | {"backbone": backbone, "weights": "none", "frozen": 0.01, "precision": precision}
    model, _ = finetune.fit(dataset([part], ROWS, TARGETS, ROWS), seed=0, resume=tmp_path, **options)
    plain = backbones.build(backbone, "none", policy="float32", sides=[SIZE, 32])
    norms = [layer.name for layer in plain.layers if isinstance(layer, keras.layers.BatchNormalization)]
    before, after = with_weights(plain), with_weights(model)
    assert list(after) == [*before, "probabilities"]
    assert len(norms) == (17 if backbone == "resnet50_v2" else 0)
    for number, (name, weights) in enumerate(before.items()):
        same = [np.array_equal(a, b) for a, b in zip(weights, after[name], strict=True)]
        assert all(same) == (number < 1 or name in norms), name
    save(model, TASK, list("abcd"), [], tmp_path / "model.keras")
    found = joined(finetune.predict(tmp_path / "model.keras", [part], ROWS, ["plain"]))
    np.testing.assert_allclose(found.sum(1), 1, atol=1e-4)


def test_a_saved_model_is_trained_and_read_again(part: Path, tmp_path: Path) -> None:
    inputs = keras.Input((None, None, 3))
    features = keras.layers.GlobalAveragePooling2D()(keras.layers.Conv2D(4, 3)(inputs))
    keras.Model(inputs, features).export(tmp_path / "hub", verbose=False)
    options = OPTIONS | {"backbone": "saved_model", "weights": str(tmp_path / "hub"), "frozen": 0.3}
    model, _ = finetune.fit(dataset([part], ROWS, TARGETS, ROWS), seed=0, resume=tmp_path / "resume", **options)
    before = backbones.build("saved_model", str(tmp_path / "hub"), policy="float32").get_weights()
    assert not any(np.array_equal(a, b) for a, b in zip(before, model.get_weights()[:2], strict=True))
    save(model, TASK, list("abcd"), [], tmp_path / "model.keras")
    stored = pixels.Pixels([part])[ROWS]
    found = joined(finetune.predict(tmp_path / "model.keras", [part], ROWS, ["plain"], str(tmp_path / "hub")))
    np.testing.assert_allclose(found, model(stored), atol=1e-4)


def trained(backbone: str, frozen: float | str) -> list[str]:
    """The layers of a backbone that train, by name; its weights play no part."""
    weights = "imagenet" if "lite" in backbone else "none"
    network = backbones.build(backbone, weights, policy="float32", sides=[32])
    model = finetune._network(network, CLASSES, frozen, 0.0)
    return [layer.name for layer in model.layers if layer.trainable_weights and layer.name != "logits"]


def test_a_share_of_the_depth_or_a_stage_stays_as_it_is_whatever_the_backbone() -> None:
    vgg = [
        f"block{block}_conv{number + 1}" for block, count in enumerate((2, 2, 3, 3, 3), 1) for number in range(count)
    ]
    assert trained("vgg16", 0) == vgg
    assert trained("vgg16", 0.3) == vgg[4:]
    assert trained("vgg16", "block4") == vgg[10:]
    default = yaml.safe_load((ROOT / "config/config.yaml").read_text())["defaults"]["train"]["finetune"]["frozen"]
    assert trained("efficientnet_lite0", default) == trained("efficientnet_lite0", "block4")
    assert trained("efficientnet_lite0", "block1")[0] == "block2_expand"  # block10 to block15 are others
    assert len(trained("efficientnet_lite0", default)) == 49 - 15


@pytest.mark.parametrize(
    ("backbone", "frozen", "message"),
    [
        ("vgg16", "block6", "vgg16 has no stage 'block6' (there are: block1, block2, block3, block4, block5)"),
        (
            "vgg16",
            "block5",
            "block5 leaves none of vgg16's 13 layers to train; a head alone is what the network 'head'",
        ),
        ("vgg16", 0.99, "0.99 leaves none of vgg16's 13 layers to train"),
        ("hub", 0.6, "0.6 leaves none of saved_model's 1 layers to train"),
    ],
)
def test_what_leaves_only_the_head_to_train_is_refused_in_one_line(
    backbone: str, frozen: float | str, message: str, part: Path, tmp_path: Path
) -> None:
    options = OPTIONS | {"backbone": backbone, "weights": "none", "frozen": frozen}
    if backbone == "hub":
        inputs = keras.Input((None, None, 3))
        keras.Model(inputs, keras.layers.Conv2D(4, 3)(inputs)).export(tmp_path / "hub", verbose=False)
        options |= {"backbone": "saved_model", "weights": str(tmp_path / "hub")}
    with pytest.raises(BadInput) as refused:
        finetune.fit(dataset([part], ROWS, TARGETS, ROWS), seed=0, resume=tmp_path / "resume", **options)
    assert str(refused.value).startswith(f"finetune.frozen: {message}")
    assert "\n" not in str(refused.value)
    assert not (tmp_path / "resume").exists()


def test_numbers_are_what_the_trained_network_says_times_their_deviation(part: Path) -> None:
    numbers, labels = task({"regression": {"range": None, "columns": ["price", "weight"]}}), ["price", "weight"]
    truth = np.random.default_rng(0).normal(size=(COUNT, 2)) * [10, 0.01] + [1000, -3]
    data = Dataset(numbers, labels, [part], ROWS, truth, ROWS, np.zeros((0, 2), np.float32))
    inputs = keras.Input((None, None, 3))
    plain = keras.Model(inputs, keras.layers.GlobalAveragePooling2D()(keras.layers.Conv2D(4, 3)(inputs)))
    trained = finetune._network(keras.models.clone_model(plain), 2, 0.0, 0.0)
    photos = pixels.Pixels([part])[ROWS].astype(np.float32)
    found = finetune._finished(trained, plain, data)(photos).numpy()
    np.testing.assert_allclose(found, trained(photos).numpy() * truth.std(0) + truth.mean(0), rtol=1e-4)
