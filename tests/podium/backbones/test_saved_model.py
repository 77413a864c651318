"""SavedModels that the tests export themselves, against the networks that they were exported from."""

import builtins
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

from podium import backbones
from podium.networks import for_any_size, save
from podium.step import BadInput

SIDE = 24
PHOTOS = np.random.default_rng(0).integers(0, 256, (2, SIDE, SIDE, 3), dtype=np.uint8)


def network(dtype: str = "float32", side: int | None = SIDE, *, pooled: bool = True) -> keras.Model:
    keras.utils.set_random_seed(0)
    inputs = keras.Input((side, side, 3), dtype=dtype)
    x = keras.layers.Conv2D(5, 3, strides=2, activation="relu")(keras.layers.Rescaling(1.0)(inputs))
    return keras.Model(inputs, keras.layers.GlobalAveragePooling2D()(x) if pooled else x)


def exported(folder: Path, **options: Any) -> tuple[keras.Model, str]:
    made = network(**options)
    made.export(folder / "hub", verbose=False)
    return made, str(folder / "hub")


def built(folder: str, **options: Any) -> keras.Model:
    return backbones.build("saved_model", folder, policy="float32", **options)


@pytest.mark.parametrize("side", [SIDE, None])
def test_floats_get_colours_in_0_to_1_and_whole_numbers_get_0_to_255(side: int | None, tmp_path: Path) -> None:
    for dtype, scaled in [("float32", PHOTOS / np.float32(255)), ("uint8", PHOTOS)]:
        made, folder = exported(tmp_path / dtype, dtype=dtype, side=side)
        found = built(folder, sides=[SIDE])(PHOTOS.astype(np.float32) + np.float32(0.2 if dtype == "uint8" else 0))
        assert found.shape == (2, 5)
        np.testing.assert_allclose(found, made(scaled), rtol=1e-4, atol=1e-4)


def test_photos_are_resized_to_the_side_that_it_takes_and_a_map_of_features_is_averaged(tmp_path: Path) -> None:
    made, folder = exported(tmp_path, side=40, pooled=False)
    resized = keras.layers.Resizing(40, 40)(PHOTOS.astype(np.float32)) / 255
    np.testing.assert_allclose(built(folder)(PHOTOS), np.mean(made(resized), axis=(1, 2)), rtol=1e-4)
    assert built(folder, top=True).input_shape == (None, 40, 40, 3)


def test_it_trains_where_its_variables_do(tmp_path: Path) -> None:
    _, folder = exported(tmp_path)
    frozen = built(folder)
    assert not frozen.trainable_variables
    frozen.get_layer("saved_model").trainable = True
    trained = keras.Model(frozen.input, keras.layers.Dense(2)(frozen.output))
    assert len(trained.trainable_variables) == 4
    with tf.GradientTape() as tape:
        total = tf.reduce_sum(trained(PHOTOS) ** 2)
    assert all(tf.reduce_any(each != 0) for each in tape.gradient(total, trained.trainable_variables))


def test_a_model_on_it_keeps_the_weights_that_it_was_saved_with(tmp_path: Path) -> None:
    _, folder = exported(tmp_path)
    model = for_any_size(built(folder, sides=[SIDE]), SIDE, "crop")
    model.set_weights([each + 1 for each in model.get_weights()])
    save(model, ["cat"], tmp_path / "model.keras")
    np.testing.assert_allclose(keras.models.load_model(tmp_path / "model.keras")(PHOTOS), model(PHOTOS), rtol=1e-5)


class TwoAnswers(tf.Module):
    @tf.function(input_signature=[tf.TensorSpec([None, 8, 8, 3])])
    def twice(self, photos: tf.Tensor) -> dict[str, tf.Tensor]:
        return {"a": photos, "b": photos}


def test_a_folder_without_a_network_of_photos_is_refused_in_one_line(tmp_path: Path) -> None:
    for name in ("empty", "broken", "two", "words"):
        (tmp_path / name).mkdir()
    (tmp_path / "broken/saved_model.pb").write_bytes(b"broken")
    two = TwoAnswers()
    tf.saved_model.save(two, tmp_path / "two", signatures={"serving_default": two.twice})
    words = keras.Input((5,))
    keras.Model(words, keras.layers.Dense(2)(words)).export(tmp_path / "words", verbose=False)
    for name in ("empty", "broken", "two", "words"):
        with pytest.raises(BadInput, match=f"{name}: no SavedModel whose serving_default takes photos") as refused:
            built(str(tmp_path / name))
        assert "\n" not in str(refused.value)
    with pytest.raises(BadInput, match="no folder at nowhere"):
        built("nowhere")


def test_a_handle_is_brought_by_kaggle_s_client(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made, folder = exported(tmp_path)
    asked = []
    client = SimpleNamespace(model_download=lambda handle: asked.append(handle) or folder)
    monkeypatch.setitem(sys.modules, "kagglehub", client)
    found = built("kaggle:google/mobilenet-v2/tensorFlow2/100-224-feature-vector/2")(PHOTOS)
    assert asked == ["google/mobilenet-v2/tensorFlow2/100-224-feature-vector/2"]
    np.testing.assert_allclose(found, made(PHOTOS / np.float32(255)), rtol=1e-4)

    def fails(handle: str) -> str:
        raise ConnectionError(f"no route\nto {handle}")

    client.model_download = fails
    with pytest.raises(BadInput, match=r"^kaggle:a/b: cannot be had from Kaggle: no route to a/b$"):
        built("kaggle:a/b")


def test_without_the_client_a_handle_is_answered_in_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    brought = builtins.__import__

    def without(name: str, *arguments: Any, **options: Any) -> Any:
        if name == "kagglehub":
            raise ImportError
        return brought(name, *arguments, **options)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(BadInput, match=r"^kaggle:a/b: a handle needs the package kagglehub"):
        built("kaggle:a/b")
