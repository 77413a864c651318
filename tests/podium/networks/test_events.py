"""What TensorBoard reads is the table of how a fit went."""

from pathlib import Path

import numpy as np
import pandas as pd
import tensorflow as tf

from podium.networks import events


def test_tensorboard_reads_each_column_as_a_curve_over_the_epochs(tmp_path: Path) -> None:
    history = pd.DataFrame({"epoch": [1, 2, 3], "loss": [2.5, 1.25, np.nan], "accuracy": [0.1, 0.5, 0.75]})
    path = tmp_path / "events.out.tfevents.history"
    events.write(path, history)
    first, *rest = tf.compat.v1.train.summary_iterator(str(path))
    assert first.file_version == "brain.Event:2"
    read = [{"epoch": each.step} | {value.tag: value.simple_value for value in each.summary.value} for each in rest]
    pd.testing.assert_frame_equal(pd.DataFrame(read), history, rtol=1e-6)
    before = path.read_bytes()
    events.write(path, history)
    assert path.read_bytes() == before
