"""SavedModels that the tests export themselves, against the networks that they were exported from."""

import builtins
import json
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import keras
import numpy as np
import pandas as pd
import pytest
import tensorflow as tf
from conftest import CLASSIFICATION, TASK
from PIL import Image

from classify import classify
from export import export
from look import look
from podium import backbones
from podium.models.reading import load
from podium.models.writing import for_any_size, save
from podium.photos import pixels
from podium.predictions.stored import Predictions
from podium.step import BadInput
from podium.tables import write_csv
from predict import predict

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
    save(model, TASK, ["cat"], [], tmp_path / "model.keras")
    np.testing.assert_allclose(load(tmp_path / "model.keras", folder)(PHOTOS), model(PHOTOS), rtol=1e-5)
    # The graph may have moved: what is named counts, not what the file says.
    (tmp_path / "hub").rename(tmp_path / "moved")
    found = load(tmp_path / "model.keras", str(tmp_path / "moved"))(PHOTOS)
    np.testing.assert_allclose(found, model(PHOTOS), rtol=1e-5)
    with pytest.raises(BadInput, match=f"^{folder}: no folder at {folder}$"):
        load(tmp_path / "model.keras", folder)


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
        with pytest.raises(BadInput, match=f"{name}: not a SavedModel whose serving_default takes only") as refused:
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
    with pytest.raises(BadInput, match=r"^kaggle:a/b: cannot be downloaded from Kaggle: no route to a/b$"):
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


class Writer(tf.Module):
    """Where a SavedModel's graph runs, it leaves a file."""

    def __init__(self, left: Path) -> None:
        super().__init__()
        self.left, self.scale = str(left), tf.Variable(1.0)

    @tf.function(input_signature=[tf.TensorSpec([None, None, None, 3], name="photos")])
    def features(self, photos: tf.Tensor) -> dict[str, tf.Tensor]:
        with tf.control_dependencies([tf.io.write_file(self.left, "here")]):
            return {"features": tf.reduce_mean(photos, (1, 2)) * self.scale}


@pytest.fixture
def hostile(tmp_path: Path) -> Path:
    """A stranger's model whose SavedModel writes a file, with photos to predict."""
    writer = Writer(tmp_path / "left.txt")
    tf.saved_model.save(writer, tmp_path / "theirs", signatures={"serving_default": writer.features})
    frozen = built(str(tmp_path / "theirs"), sides=[SIDE])
    spatial = keras.layers.Conv2D(4, 2)(keras.layers.Conv2D(4, 1)(frozen.input))
    joined = keras.layers.Concatenate()([frozen.output, keras.layers.GlobalAveragePooling2D()(spatial)])
    head = keras.layers.Dense(2, activation="softmax", name="head")(joined)
    model = for_any_size(keras.Model(frozen.input, head), SIDE, "crop")
    save(model, TASK, ["cat", "cup"], [], tmp_path / "model.keras", size=SIDE, fit="crop", range=None)
    pixels.write(tmp_path / "test-0.npy", PHOTOS.shape, PHOTOS)
    Image.fromarray(PHOTOS[0]).save(tmp_path / "photo.png")
    index = pd.DataFrame({"id": list("abcd"), "label": ["cat", "cup", "", ""], "split": ["train"] * 2 + ["test"] * 2})
    write_csv(tmp_path / "index.csv", index)
    write_csv(tmp_path / "folds.csv", pd.DataFrame({"fold": [0, 1]}))
    (tmp_path / "left.txt").unlink(missing_ok=True)
    return tmp_path


def predicted(folder: Path, saved_model: str | None, network: str = "finetune") -> np.ndarray:
    files = [folder / name for name in ("index.csv", "folds.csv", "predictions.npy", "one_view.npy")]
    settings = {
        "task": CLASSIFICATION,
        "network": network,
        "fold": None,
        "splits": ["test"],
        "views": ["plain"],
        "saved_model": saved_model,
    }
    predict(folder / "model.keras", [folder / "test-0.npy"], *files[:2], [], *files[2:], **settings)
    return Predictions.read(files[2])[:]


def exports(folder: Path, saved_model: str | None) -> None:
    export(folder / "model.keras", folder / "model.weights.h5", folder / "served", saved_model=saved_model)


def looks(folder: Path, saved_model: str | None) -> None:
    look(folder / "model.keras", folder / "photo.png", folder / "look.png", saved_model)


def classifies(folder: Path, saved_model: str | None) -> None:
    classify(folder / "model.keras", [folder / "photo.png"], folder / "found.csv", saved_model)


USES = {"predict": predicted, "classify": classifies, "export": exports, "look": looks}


@pytest.mark.parametrize("use", USES.values(), ids=USES)
def test_the_saved_model_of_a_stranger_runs_only_where_the_user_names_it(
    use: Callable[[Path, str | None], object], hostile: Path
) -> None:
    theirs = str(hostile / "theirs")
    with pytest.raises(BadInput) as refused:
        use(hostile, None)
    expected = f"{hostile / 'model.keras'}: it runs the SavedModel in {theirs}: if you know and trust that, name it: "
    assert str(refused.value) == f"{expected}--saved-model {theirs}"
    assert not (hostile / "left.txt").exists()
    use(hostile, theirs)
    if use in (predicted, classifies):  # the others do not compute this part of the network
        assert (hostile / "left.txt").exists()


def test_where_another_folder_is_named_the_file_s_own_is_not_opened(hostile: Path) -> None:
    class Harmless(Writer):
        @tf.function(input_signature=[tf.TensorSpec([None, None, None, 3], name="photos")])
        def features(self, photos: tf.Tensor) -> dict[str, tf.Tensor]:
            return {"features": tf.reduce_mean(photos, (1, 2)) * self.scale}

    mine = Harmless(hostile / "left.txt")
    tf.saved_model.save(mine, hostile / "mine", signatures={"serving_default": mine.features})
    found = predicted(hostile, str(hostile / "mine"))
    assert not (hostile / "left.txt").exists()
    np.testing.assert_allclose(found, predicted(hostile, str(hostile / "theirs")), atol=1e-6)


def rewritten(model: Path, change: Callable[[str], str], packed: int = zipfile.ZIP_STORED, more: str = "") -> None:
    with zipfile.ZipFile(model) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    members["config.json"] = change(members["config.json"].decode()).encode()
    with zipfile.ZipFile(model, "w", packed) as archive:
        for name, content in (members | ({more: b"a"} if more else {})).items():
            archive.writestr(name, content)


def layers(config: str, change: Callable[[dict[str, Any]], object]) -> str:
    """The config with each of its SavedModels changed, however deep it lies."""

    def walk(part: Any) -> None:
        for each in part.values() if isinstance(part, dict) else part if isinstance(part, list) else ():
            walk(each)
        if isinstance(part, dict) and part.get("registered_name") == "podium>SavedModel":
            change(part)

    walk(content := json.loads(config))
    return json.dumps(content)


def as_keras_own(layer: dict[str, Any]) -> None:
    layer |= {"module": "keras.layers", "class_name": "TFSMLayer", "registered_name": None}
    layer["config"]["call_endpoint"] = "serving_default"


def as_a_lambda(layer: dict[str, Any]) -> None:
    code = {"class_name": "__lambda__", "config": {"value": "4wAAAAA="}}
    layer |= {"module": "keras.layers", "class_name": "Lambda", "registered_name": None}
    layer["config"] = {"name": "saved_model", "function": code}


def as_a_function(layer: dict[str, Any]) -> None:
    layer |= {"module": "os", "class_name": "function", "config": "system", "registered_name": "system"}


DISGUISES: dict[str, Callable[[Path], None]] = {
    "another class name": lambda path: rewritten(
        path, lambda config: layers(config, lambda layer: layer.update(module="keras.layers", class_name="Dense"))
    ),
    "by its module alone": lambda path: rewritten(
        path, lambda config: layers(config, lambda layer: layer.pop("registered_name"))
    ),
    "Keras's own layer": lambda path: rewritten(path, lambda config: layers(config, as_keras_own)),
    "a lambda": lambda path: rewritten(path, lambda config: layers(config, as_a_lambda)),
    "a function": lambda path: rewritten(path, lambda config: layers(config, as_a_function)),
    "no JSON": lambda path: rewritten(path, lambda config: config[:-9]),
    "packed": lambda path: rewritten(path, str, zipfile.ZIP_DEFLATED),
    "one member more": lambda path: rewritten(path, str, more="assets/../../left.txt"),
    "no zip": lambda path: path.write_bytes(b"HDF"),
}


@pytest.mark.parametrize("disguise", DISGUISES.values(), ids=DISGUISES)
@pytest.mark.parametrize("named", [False, True])
def test_no_disguise_makes_a_file_run_what_was_not_named(
    disguise: Callable[[Path], None], named: bool, hostile: Path
) -> None:
    disguise(hostile / "model.keras")
    (hostile / "mine").mkdir()
    with pytest.raises(BadInput) as refused:
        load(hostile / "model.keras", str(hostile / "mine") if named else None)
    assert str(refused.value).startswith(str(hostile))
    assert "\n" not in str(refused.value)
    assert len(str(refused.value)) < 600
    assert not (hostile / "left.txt").exists()
