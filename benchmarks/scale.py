"""Measure how time and memory grow: the part `scale` of `make bench`; README.md next to this file explains the output.

Each step runs as its own process, by its command line, on photos that are made for it. Times are processor seconds
(user and system) of that process, since other work on the machine hardly changes these; memory is the process's peak.
"""

import argparse
import io
import os
import re
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from PIL import Image

SCRIPTS = Path(__file__).parents[1] / "workflow/scripts"
SIDE, COARSE, BLOCK = 32, 4, 1000  # pixels of a photo and of the noise that it is made of; photos drawn at a time
CLASSES, TEST_EVERY = 10, 10
SHARDS = (1, 100)
LAYOUT = (
    "{tables: {train: {path: train.csv, image: 'train/{file}', id: file, label: label}, "
    "test: {path: test.csv, image: 'test/{file}', id: file}}}"
)


class Cost(NamedTuple):
    """What a step took: processor seconds and peak memory in MB."""

    seconds: float
    memory: int


def photos(count: int) -> Iterator[bytes]:
    """So many different JPEG files of smooth noise, the same each time."""
    random = np.random.default_rng(0)
    for first in range(0, count, BLOCK):
        for colours in random.integers(0, 256, (min(BLOCK, count - first), COARSE, COARSE, 3), np.uint8):
            out = io.BytesIO()
            Image.fromarray(colours).resize((SIDE, SIDE)).save(out, "JPEG")
            yield out.getvalue()


def make_archive(path: Path, count: int, classes: int = CLASSES) -> None:
    """A zip of so many photos and of the tables that list them; every tenth is a test photo."""
    tables = {"train": ["file,label\n"], "test": ["file\n"]}
    with zipfile.ZipFile(path, "w") as out:
        for number, photo in enumerate(photos(count)):
            split = "train" if number % TEST_EVERY else "test"
            out.writestr(f"{split}/{number:07}.jpg", photo)
            tables[split].append(f"{number:07}.jpg" + (f",{number % classes}\n" if split == "train" else "\n"))
        for split, lines in tables.items():
            out.writestr(f"{split}.csv", "".join(lines))


def run(step: str, **given: Any) -> Cost:
    """Runs a step; the benchmark ends if it fails."""
    flags = [f"--{name.replace('_', '-')}={value}" for name, value in given.items() if value is not True]
    flags += [f"--{name}" for name, value in given.items() if value is True]
    with tempfile.TemporaryFile("w+") as said:
        process = subprocess.Popen(
            [sys.executable, SCRIPTS / f"{step}.py", *flags], stdout=said, stderr=subprocess.STDOUT
        )
        _, status, used = os.wait4(process.pid, 0)
        said.seek(0)
        text = said.read()
    peak = re.search(r"peak memory (\d+) MB", text)
    if status or not peak:
        sys.exit(text)
    return Cost(used.ru_utime + used.ru_stime, int(peak[1]))


def steps(folder: Path, count: int, shards: int = 1) -> dict[str, Cost]:
    """`download`, `index`, `pack` and `preprocess` of so many photos."""
    if not (made := folder / f"{count}.zip").exists():
        make_archive(made, count)
    source, index, records, depth = (folder / name for name in ("source.zip", "index.csv", "records", "depth.json"))
    cost = {"download": run("download", source=source, archive=made)}
    listing = {"layout": LAYOUT, "strict": True, "max_megapixels": 179, "threads": os.cpu_count()}
    outputs = {"index": index, "quarantine": folder / "quarantine.csv", "depth": depth}
    cost["index"] = run("index", source=source, **outputs, **listing, shards=shards)
    cost["pack"] = run("pack", source=source, index=index, records=records, layout=LAYOUT, shards=shards)
    if shards == 1:
        part = {"records": records / "train-0.tfrecord", "depth": depth, "pixels": folder / "train-0.npy"}
        cost["preprocess"] = run("preprocess", **part, size=SIDE, fit="crop", threads=os.cpu_count())
    return cost
