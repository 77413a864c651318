"""Each family against Keras's own network and `preprocess_input`; with weights of our making, since the real ones
come from a server."""

import importlib
import random
from pathlib import Path

import keras
import numpy as np
import pytest

from podium import backbones
from podium.backbones import keras_applications
from podium.backbones.families import KERAS
from podium.step import BadInput

# Those that are always compared; the others are slow.
QUICK = ("inception_v3", "mobilenet_v2", "resnet50_v2", "convnext_tiny")
# One network of each family, with the module that holds its `preprocess_input`.
FAMILIES = {
    "vgg16": "vgg16",
    "inception_v3": "inception_v3",
    "inception_resnet_v2": "inception_resnet_v2",
    "xception": "xception",
    "resnet50": "resnet",
    "resnet50_v2": "resnet_v2",
    "mobilenet": "mobilenet",
    "mobilenet_v2": "mobilenet_v2",
    "mobilenet_v3_small": "mobilenet_v3",
    "nasnet_mobile": "nasnet",
    "densenet121": "densenet",
    "efficientnet_b0": "efficientnet",
    "efficientnet_v2_b0": "efficientnet_v2",
    "convnext_tiny": "convnext",
}
SIDE = 81  # odd, since some networks pad odd sides otherwise
SMALL = "mobilenet_v3_small"  # the quickest to build


def photos(side: int = SIDE, count: int = 2) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (count, side, side, 3), dtype=np.uint8)


def reference(name: str, side: int, **options: object) -> keras.Model:
    """Keras's network with weights that leave no part of it without effect."""
    made = getattr(keras.applications, KERAS[name].function)
    network = made(weights=None, input_shape=(side, side, 3), **({"include_top": False, "pooling": "avg"} | options))
    drawn = np.random.default_rng(1)
    for layer in network.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.set_weights([drawn.uniform(0.7, 1.3, each.shape) for each in layer.get_weights()])
        elif "layer_scale" in layer.name:
            layer.set_weights([drawn.uniform(0.1, 0.3, each.shape) for each in layer.get_weights()])
    return network


def preprocessed(name: str, pixels: np.ndarray) -> np.ndarray:
    module = importlib.import_module(f"keras.applications.{FAMILIES[name]}")
    return np.asarray(module.preprocess_input(pixels.astype(np.float32)))


def test_the_menu_is_what_is_built() -> None:
    functions = [network.function for network in KERAS.values()]
    assert len(set(functions)) == len(functions)
    assert all(callable(getattr(keras.applications, function)) for function in functions)


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=[pytest.mark.slow] * (name not in QUICK)) for name in FAMILIES]
)
def test_it_answers_as_keras_s_network_does(name: str, tmp_path: Path) -> None:
    """With a file's weights, its own preprocessing, and batch norm folded away."""
    own = KERAS[name]
    side = SIDE if own.least else own.size
    expected = reference(name, side)
    expected.save(path := tmp_path / "weights.h5")
    network = backbones.build(name, str(path), policy="float32", sides=[SIDE])
    path.unlink()  # some are large
    resized = np.asarray(keras.layers.Resizing(side, side)(photos().astype(np.float32)))
    found, wanted = network(photos()).numpy(), expected(preprocessed(name, resized), training=False).numpy()
    assert (found.shape, found.dtype) == (wanted.shape, np.float32)
    np.testing.assert_allclose(found, wanted, atol=2e-3 * np.abs(wanted).max())
    assert not network.trainable_variables


@pytest.mark.parametrize("name", FAMILIES)
def test_its_preprocessing_is_preprocess_input(name: str) -> None:
    inputs = keras.Input((None, None, 3))
    scaled = keras_applications._scaled(inputs, KERAS[name].scaling)
    found = keras.Model(inputs, keras.ops.add(scaled, 0))(photos()).numpy()
    np.testing.assert_allclose(found, preprocessed(name, photos()), atol=1e-4)


@pytest.mark.parametrize("policy", ["float32", "mixed_bfloat16"])
def test_it_gives_float32_embeddings_of_photos_of_any_size_and_leaves_keras_as_it_was(policy: str) -> None:
    before = keras.config.dtype_policy().name
    network = backbones.build("mobilenet", "none", policy=policy)
    assert keras.config.dtype_policy().name == before
    assert {weight.dtype for weight in network.get_weights()} == {np.dtype("float32")}
    convolutions = {layer.dtype_policy.name for layer in network.layers if isinstance(layer, keras.layers.Conv2D)}
    assert convolutions == {policy}
    for side in (64, 97):
        found = network(photos(side)).numpy()
        assert (found.shape, found.dtype) == ((2, 1024), np.float32)


def test_photos_smaller_than_it_takes_are_upscaled_to_its_own_size_and_others_are_not() -> None:
    """Xception takes 71 pixels at least and was trained at 299."""
    small, large, mixed = (
        backbones.build("xception", "none", policy="float32", sides=sides) for sides in ([70], [71], [300, 60])
    )
    assert small.get_layer("resize").output.shape[1:3] == (299, 299)
    assert "resize" not in [layer.name for layer in large.layers]
    assert mixed.get_layer("resize").output.shape[1:3] == (299, 299)
    upscaled = np.asarray(keras.layers.Resizing(299, 299)(photos(70).astype(np.float32)))
    np.testing.assert_allclose(small(photos(70)).numpy(), mixed(upscaled).numpy(), rtol=1e-3, atol=1e-5)


def test_random_weights_are_the_same_each_time_and_leave_the_seeds_of_a_training_alone() -> None:
    made, drawn = [], []
    for seed in (7, 8):
        keras.utils.set_random_seed(seed)
        made.append(backbones.build(SMALL, "none", policy="float32").get_weights())
        drawn.append((random.random(), float(np.random.random()), float(keras.random.uniform([]))))
    assert all(np.array_equal(a, b) for a, b in zip(*made, strict=True))
    assert all(a != b for a, b in zip(*drawn, strict=True))


@pytest.mark.filterwarnings("ignore:Skipping nested container")
@pytest.mark.parametrize("suffix", ["h5", "keras", "weights.h5"])
def test_a_file_of_any_of_keras_s_formats_will_do_and_one_of_another_network_is_refused(
    suffix: str, tmp_path: Path
) -> None:
    path = tmp_path / f"mine.{suffix}"
    made = reference(SMALL, SIDE)
    (made.save_weights if suffix == "weights.h5" else made.save)(path)
    network = backbones.build(SMALL, str(path), policy="float32", sides=[SIDE])
    expected = made(photos().astype(np.float32), training=False).numpy()
    np.testing.assert_allclose(network(photos()).numpy(), expected, atol=2e-3 * np.abs(expected).max())
    for other in ("mobilenet", "vgg16"):
        with pytest.raises(BadInput, match=f"does not contain the weights of {other}: ") as refused:
            backbones.build(other, str(path), policy="float32")
        assert str(path) in str(refused.value)
        assert "\n" not in str(refused.value)


def test_a_file_that_is_no_weights_file_is_refused_in_one_line(tmp_path: Path) -> None:
    for name in ("broken.h5", "broken.weights.h5", "broken.keras"):
        (tmp_path / name).write_bytes(b"\x89HDF\r\n\x1a\n broken")
        with pytest.raises(BadInput, match=f"{name}: does not contain the weights of {SMALL}") as refused:
            backbones.build(SMALL, str(tmp_path / name), policy="float32")
        assert "\n" not in str(refused.value)


def test_imagenet_weights_are_those_of_keras_s_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = reference("mobilenet", SIDE)
    made.save(tmp_path / "cached.h5")
    asked: list[str] = []

    def cached(name: str, *_: object, **__: object) -> str:
        asked.append(name)
        return str(tmp_path / "cached.h5")

    monkeypatch.setattr("keras.src.utils.file_utils.get_file", cached)
    network = backbones.build("mobilenet", policy="float32", sides=[SIDE])
    assert asked == ["mobilenet_1_0_224_tf_no_top.h5"]
    expected = made(preprocessed("mobilenet", photos()), training=False).numpy()
    np.testing.assert_allclose(network(photos()).numpy(), expected, atol=2e-3 * np.abs(expected).max())


def test_imagenet_weights_that_cannot_be_had_are_said_so_in_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    def offline(**_: object) -> None:
        raise Exception("URL fetch failure on https://example.org/weights.h5: None -- no network")

    monkeypatch.setattr(keras.applications, "MobileNetV3Small", offline)
    with pytest.raises(BadInput, match=r"^mobilenet_v3_small: its imagenet weights are not in .*example\.org") as said:
        backbones.build(SMALL, "imagenet", policy="float32")
    assert "\n" not in str(said.value)


@pytest.mark.parametrize("name", ["mobilenet", SMALL, "convnext_tiny"])
def test_with_its_top_it_gives_logits_of_photos_of_its_own_size(name: str, tmp_path: Path) -> None:
    made = reference(name, 224, include_top=True, pooling=None)
    made.save(path := tmp_path / "whole.h5")
    network = backbones.build(name, str(path), policy="float32", top=True)
    path.unlink()
    assert network.input_shape == (None, 224, 224, 3)
    logits = network(photos(224, 1)).numpy()[0].astype(float)
    powers = np.exp(logits - logits.max())
    expected = made(preprocessed(name, photos(224, 1)), training=False).numpy()[0]
    np.testing.assert_allclose(powers / powers.sum(), expected, rtol=0.05, atol=1e-6)
