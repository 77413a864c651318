"""Measure two well-known baselines, each in its own process so that its peak memory is its own.

`loop` is the training loop of a 2019 hackathon entry in TensorFlow 2; `tutorial` is the usual Keras transfer learning.
Each prints one line of JSON. Its seconds are those of the training alone: imports, building the network and, if only a
part was timed, the first two batches, which compile, are left out.
"""

import argparse
import csv
import json
import os
import re
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import keras
    import tensorflow as tf

SCRIPTS = Path(__file__).parents[1] / "workflow/scripts"
LOOP_EPOCHS, TUTORIAL_EPOCHS = 30, 10
BATCH, WARM_UP = 32, 2  # both of the first two batches compile something
SIZES = {"inception_v3": 299, "efficientnet_lite0": 224}
Rows = list[tuple[Path, str]]  # each photo and its label


class Clock:
    """Counts photos and seconds; with a limit in seconds, it leaves out the first batches and ends at the limit."""

    def __init__(self, limit: float) -> None:
        self.limit, self.photos, self.seconds = limit, 0, 0.0
        self.started = time.perf_counter()
        self.left_out = WARM_UP if limit else 0

    def batch_done(self, photos: int) -> bool:
        """Counts a batch; returns whether the limit is reached."""
        now = time.perf_counter()
        if self.left_out:
            self.left_out -= 1
            self.started = now
            return False
        self.photos += photos
        self.seconds = now - self.started
        return 0 < self.limit <= self.seconds

    def figures(self, epochs: int, photos: int) -> dict[str, Any]:
        """What was measured, and the seconds that all epochs over all photos take at that rate."""
        return {
            "seconds": round(self.seconds / self.photos * epochs * photos, 1),
            "measured_seconds": round(self.seconds, 1),
            "measured_photos": self.photos,
            "photos_per_second": round(self.photos / self.seconds, 2),
            "epochs": epochs,
            "photos": photos,
            "peak_memory_mb": round(peak_memory() / 1e6),
            "extrapolated": self.limit > 0,
        }


def loop(photos: Path, seconds: float) -> dict[str, Any]:
    """Reads, decodes and embeds every photo anew in every epoch, one batch after another."""
    import keras
    import tensorflow as tf

    keras.utils.set_random_seed(0)
    rows = read_rows(photos, "train")
    labels = sorted({label for _, label in rows})
    side = SIZES["inception_v3"]
    base = keras.applications.InceptionV3(weights=None, include_top=False, pooling="avg", input_shape=(side, side, 3))
    base.trainable = False
    # The last batch of an epoch is smaller; an open first axis keeps it from compiling the network again.
    signature = [tf.TensorSpec((None, side, side, 3), tf.float32)]
    embed = tf.function(lambda batch: base(batch, training=False), input_signature=signature)
    embeddings = keras.Input(base.output_shape[1:])
    hidden = keras.layers.Dense(64, activation="relu")(embeddings)
    head = compiled(embeddings, keras.layers.Dense(len(labels), activation="softmax")(hidden))
    clock = Clock(seconds)
    for pixels, truth in batches(rows, labels, side):
        head.train_on_batch(embed(pixels), truth)
        if clock.batch_done(len(truth)):
            break
    return clock.figures(LOOP_EPOCHS, len(rows))


def batches(rows: Rows, labels: list[str], side: int) -> Iterator[tuple["tf.Tensor", "tf.Tensor"]]:
    """The batches of all epochs: nothing is cached, shuffled, or done in parallel to the training."""
    import tensorflow as tf

    for _ in range(LOOP_EPOCHS):
        for first in range(0, len(rows), BATCH):
            chosen = rows[first : first + BATCH]
            pixels = tf.stack([read_photo(path, side) for path, _ in chosen])
            yield pixels, tf.constant([labels.index(label) for _, label in chosen])


def read_photo(path: Path, side: int) -> "tf.Tensor":
    """Pixels float32 [side, side, 3] in -1..1, as Inception takes them."""
    import tensorflow as tf

    pixels = tf.io.decode_jpeg(tf.io.read_file(str(path)), channels=3)
    return tf.image.resize(pixels, (side, side), method="bilinear") / 127.5 - 1


def tutorial(photos: Path, seconds: float, backbone: str) -> dict[str, Any]:
    """A head trained on a frozen network, with photos altered at random in every epoch."""
    import keras

    keras.utils.set_random_seed(0)
    tables = {name: read_rows(photos, name) for name in ("train", "validation")}
    labels = sorted({label for rows in tables.values() for _, label in rows})
    with tempfile.TemporaryDirectory(prefix="podium-tutorial-") as folder:
        link(Path(folder), tables, labels)
        train = dataset(Path(folder) / "train", labels, backbone, shuffle=True)
        model = transfer(backbone, len(labels))
        clock = Clock(seconds)
        model.fit(train, epochs=TUTORIAL_EPOCHS, callbacks=[timer(model, clock, len(tables["train"]))], verbose=0)
        figures = clock.figures(TUTORIAL_EPOCHS, len(tables["train"]))
        if seconds:
            return {**figures, "validation_accuracy": None, "validation_macro_f1": None}
        return {**figures, **scores(model, dataset(Path(folder) / "validation", labels, backbone, shuffle=False))}


def link(folder: Path, tables: dict[str, Rows], labels: list[str]) -> None:
    """A folder for each table with a folder for each class, as the tutorial expects; the photos stay where they are."""
    for name, rows in tables.items():
        for label in labels:
            (folder / name / label).mkdir(parents=True)
        for path, label in rows:
            (folder / name / label / path.name).symlink_to(path)


def dataset(folder: Path, labels: list[str], backbone: str, *, shuffle: bool) -> "tf.data.Dataset":
    import keras
    import tensorflow as tf

    side = (SIZES[backbone], SIZES[backbone])
    found = keras.utils.image_dataset_from_directory(
        folder, class_names=labels, image_size=side, batch_size=BATCH, shuffle=shuffle, seed=0, verbose=False
    )
    return found.prefetch(tf.data.AUTOTUNE)


def transfer(backbone: str, count: int) -> "keras.Model":
    """Pixels [n, side, side, 3] in 0..255 -> probabilities [n, count]."""
    import keras

    inputs = keras.Input((SIZES[backbone], SIZES[backbone], 3))
    x = keras.layers.RandomFlip("horizontal")(inputs)
    x = keras.layers.RandomRotation(0.1)(x)
    x = keras.layers.RandomZoom(0.1)(x)
    if backbone == "inception_v3":
        x = keras.layers.Rescaling(1 / 127.5, offset=-1)(x)
        base = keras.applications.InceptionV3(weights=None, include_top=False, pooling="avg")
        base.trainable = False
    else:
        sys.path.insert(0, str(SCRIPTS))
        from podium import backbones

        base = backbones.build(backbone, policy="float32")  # scales and averages by itself
    x = keras.layers.Dropout(0.2)(base(x, training=False))
    return compiled(inputs, keras.layers.Dense(count, activation="softmax")(x))


def compiled(inputs: "keras.KerasTensor", outputs: "keras.KerasTensor") -> "keras.Model":
    import keras

    model = keras.Model(inputs, outputs)
    model.compile(
        keras.optimizers.Adam(1e-3), "sparse_categorical_crossentropy", metrics=["accuracy"], jit_compile=False
    )
    return model


def timer(model: "keras.Model", clock: Clock, photos: int) -> "keras.callbacks.Callback":
    """Reports each batch to the clock and stops the training at its limit."""
    import keras

    def batch_done(batch: int, **_: object) -> None:
        model.stop_training = clock.batch_done(min(BATCH, photos - batch * BATCH))

    return keras.callbacks.LambdaCallback(on_train_batch_end=batch_done)


def scores(model: "keras.Model", validation: "tf.data.Dataset") -> dict[str, float]:
    """Accuracy and macro F1; macro F1 is the mean over the classes that occur in the truth."""
    import numpy as np
    from sklearn.metrics import accuracy_score, f1_score

    truth = np.concatenate([labels for _, labels in validation.as_numpy_iterator()])
    predicted = model.predict(validation, verbose=0).argmax(1)
    macro_f1 = f1_score(truth, predicted, labels=np.unique(truth), average="macro", zero_division=0)
    return {
        "validation_accuracy": round(float(accuracy_score(truth, predicted)), 4),
        "validation_macro_f1": round(float(macro_f1), 4),
    }


def read_rows(photos: Path, table: str) -> Rows:
    """The photos of a table with the columns `file` and `label`, in the table's order."""
    with (photos / f"{table}.tsv").open(newline="", encoding="utf-8") as file:
        rows = csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE)
        return [((photos / table / row["file"]).absolute(), row["label"]) for row in rows]


def peak_memory() -> int:
    """The process's peak memory in bytes; `ru_maxrss` would include its parent's before the exec."""
    found = re.search(r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text())
    return int(found[1]) * 1024 if found else 0


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="baseline", required=True)
    for name in ("loop", "tutorial"):
        command = commands.add_parser(name)
        command.add_argument(
            "--photos", type=Path, required=True, help="the unpacked archive, which contains train.tsv"
        )
        command.add_argument(
            "--seconds", type=float, required=True, help="how long to time a part; 0: train to the end"
        )
        if name == "tutorial":
            command.add_argument("--backbone", choices=sorted(SIZES), required=True)
    return parser.parse_args()


def main() -> None:
    given = vars(parse())
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")  # read when TensorFlow is imported
    baselines: dict[str, Callable[..., dict[str, Any]]] = {"loop": loop, "tutorial": tutorial}
    print(json.dumps(baselines[given.pop("baseline")](**given)), flush=True)


if __name__ == "__main__":
    main()
