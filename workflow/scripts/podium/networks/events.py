"""Event files for TensorBoard. Needs TensorFlow."""

from pathlib import Path

import pandas as pd
import tensorflow as tf


def write(path: Path, history: pd.DataFrame) -> None:
    """A curve for each column over the rows; the file's name must contain `tfevents`.

    Each row's time is its number in seconds, since real times would change the file's bytes each time.
    """
    event, summary = tf.compat.v1.Event, tf.compat.v1.Summary
    steps, curves = range(1, len(history) + 1), history.drop(columns="epoch", errors="ignore")
    with tf.io.TFRecordWriter(str(path)) as file:
        file.write(event(wall_time=0, file_version="brain.Event:2").SerializeToString())
        for step, row in zip(steps, curves.to_dict("records"), strict=True):
            values = [summary.Value(tag=str(name), simple_value=value) for name, value in row.items()]
            file.write(
                event(wall_time=step, step=step, summary=summary(value=values)).SerializeToString(deterministic=True)
            )
