"""Measure the best training speed of a network, in one process: one line of JSON, in photos per second.

`forward` only runs the network, `keras` trains it with Keras's own layers, `podium` with the layers that Podium uses
for training; each on one batch that is already in memory, so only the network's operations are timed.
"""

import argparse
import json
import os
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

BATCH, SIDE, CLASSES, STEPS = 32, 224, 81, 20


def measure(backbone: str, policy: str, frozen: int, rounds: int) -> dict[str, float]:
    """Photos per second of each kind, the median of the rounds, in which the kinds take turns."""
    import keras
    import numpy as np
    import tensorflow as tf

    sys.path.insert(0, str(Path(__file__).parents[1] / "workflow/scripts"))
    from podium import backbones
    from podium.networks import depthwise

    batch = tf.constant(np.random.default_rng(0).uniform(0, 255, (BATCH, SIDE, SIDE, 3)).astype("float32"))
    truth = tf.one_hot(np.arange(BATCH) % CLASSES, CLASSES)

    def network(change: Callable[[Any], Any]) -> Any:
        base = change(backbones.build(backbone, policy=policy))
        for number, layer in enumerate(layer for layer in base.layers if layer.weights):
            layer.trainable = number >= frozen
        model = keras.Model(base.input, keras.layers.Dense(CLASSES, dtype="float32")(base.output))
        optimizer = keras.optimizers.AdamW(1e-5, clipnorm=1.0)
        model.compile(optimizer, keras.losses.CategoricalCrossentropy(from_logits=True), jit_compile=False)
        return model

    plain, fast = network(lambda base: base), network(depthwise.with_fast_gradients)
    forward = tf.function(lambda: plain(batch, training=False))
    kinds: dict[str, Callable[[], Any]] = {
        "forward": forward,
        "keras": lambda: plain.train_on_batch(batch, truth),
        "podium": lambda: fast.train_on_batch(batch, truth),
    }
    rates: dict[str, list[float]] = {kind: [] for kind in kinds}
    for _ in range(rounds):
        for kind, step in kinds.items():
            step()
            started = time.perf_counter()
            for _ in range(STEPS):
                step()
            rates[kind].append(STEPS * BATCH / (time.perf_counter() - started))
    return {kind: round(statistics.median(values), 1) for kind, values in rates.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--backbone", default="efficientnet_lite0")
    parser.add_argument("--policy", required=True, help="float32 or mixed_bfloat16")
    parser.add_argument("--frozen", type=int, default=15)
    parser.add_argument("--rounds", type=int, default=3)
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    print(json.dumps(measure(**vars(parser.parse_args()))))


if __name__ == "__main__":
    main()
