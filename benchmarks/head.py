"""Measure the step `train` with the network `head` on many photos, made for it: one line of JSON.

The embeddings are classes that overlap. Memory is that of the whole process, which also builds and saves the model with
its backbone.
"""

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import yaml
from numpy.typing import NDArray

SCRIPTS = Path(__file__).parents[1] / "workflow/scripts"
sys.path.insert(0, str(SCRIPTS))
from podium import arrays  # noqa: E402
from podium.tables import write_csv  # noqa: E402

BLOCK, SPREAD = 1000, 6.0
OPTIONS = {"backbone": "efficientnet_lite0", "weights": "imagenet", "precision": "float32", "size": 224, "fit": "crop"}


def measure(photos: int, classes: int, views: int, features: int, penalties: list[float]) -> dict[str, float]:
    """Peak memory in MB, seconds, and processor seconds of one fit on all photos."""
    names = ["plain", *(f"crop-{number}" for number in range(1, views))]
    with tempfile.TemporaryDirectory() as created:
        folder, truth = Path(created), np.arange(photos) % classes
        kind = np.dtype([(name, np.float32, (features,)) for name in names])
        arrays.write(folder / "train-0.npy", kind, (photos,), _embeddings(truth, classes, kind))
        index = pd.DataFrame({"id": np.arange(photos), "label": truth, "split": "train"})
        write_csv(folder / "index.csv", index.assign(digest=index.id))
        write_csv(folder / "folds.csv", pd.DataFrame({"id": index.id, "fold": index.id % 5, "group": index.id}))
        (folder / "depth.json").write_text('{"range": null}')
        return _fit(folder, {**OPTIONS, "views": names, "penalties": penalties})


def _embeddings(truth: NDArray[np.int64], classes: int, kind: np.dtype[Any]) -> Iterator[NDArray[Any]]:
    random = np.random.default_rng(0)
    centres = random.normal(size=(classes, *kind[0].shape)).astype(np.float32)
    for start in range(0, len(truth), BLOCK):
        own = centres[truth[start : start + BLOCK]]
        block = np.empty(len(own), kind)
        for view in kind.names or ():
            block[view] = own + np.float32(SPREAD) * random.standard_normal(own.shape, np.float32)
        yield block


def _fit(folder: Path, options: dict[str, Any]) -> dict[str, float]:
    """What the step says of itself, and what the system counted."""
    command: list[Any] = [sys.executable, SCRIPTS / "train.py", "--network", "head", "--seed", "0", "--sharpness", "1"]
    for name in ("index.csv", "folds.csv", "depth.json"):
        command += [f"--{Path(name).stem}", folder / name]
    command += [
        "--parts",
        folder / "train-0.npy",
        "--teachers",
        "--features",
        "--columns",
        "[]",
        "--no-deterministic",
        "--task",
        "{classification: {}}",
    ]
    command += ["--model", folder / "model.keras", "--history", folder / "history.csv"]
    command += ["--events", folder / "events.out.tfevents.history", "--options", yaml.safe_dump(options)]
    started, before = time.perf_counter(), os.times()
    done = subprocess.run([str(each) for each in command], capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(done.stderr)
    after, found = os.times(), re.search(r"peak memory (\d+) MB", done.stderr)
    assert found, done.stderr
    used = after.children_user + after.children_system - before.children_user - before.children_system
    return {
        "peak_memory_mb": float(found[1]),
        "seconds": round(time.perf_counter() - started, 1),
        "processor_seconds": round(used, 1),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--photos", type=int, default=100_000)
    parser.add_argument("--classes", type=int, default=100)
    parser.add_argument("--views", type=int, default=4)
    parser.add_argument("--features", type=int, default=1280)
    parser.add_argument("--penalties", type=float, nargs="+", default=[30.0, 10.0, 3.0, 1.0])
    print(json.dumps(measure(**vars(parser.parse_args()))))


if __name__ == "__main__":
    main()
