"""Measure how time and memory grow: the part `scale` of `make bench`; README.md next to this file explains the output.

Each step runs as its own process, by its command line, on photos that are made for it. Times are processor seconds
(user and system) of that process, since other work on the machine changes these little; memory is the process's peak.
"""

import argparse
import io
import json
import os
import re
import statistics
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import yaml
from bench import copy_project, snakemake
from PIL import Image

SCRIPTS = Path(__file__).parents[1] / "workflow/scripts"
SIDE, COARSE, BLOCK = 32, 4, 1000  # pixels of a photo and of the noise that it is made of; photos drawn at a time
CLASSES, TEST_EVERY = 10, 10
FEW = 1_000  # photos that cost little more than the start of a step
REPEATS = 3  # of what is short
GIGABYTES = 5  # of a large archive
THREADS = 1  # so that two steps run side by side on two cores
LAYOUT = (
    "{tables: {train: {path: train.csv, image: 'train/{file}', id: file, label: label}, "
    "test: {path: test.csv, image: 'test/{file}', id: file}}}"
)
FILES = {"source": "source.zip", "index": "index.csv", "quarantine": "quarantine.csv", "depth": "depth.json"}
FILES |= {"features": "features.npy", "targets": "targets", "records": "records", "pixels": "train-0.npy"}


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
    """Runs a step with these arguments; the benchmark ends if it fails."""
    flags = [f"--{name.replace('_', '-')}" + ("" if value is True else f"={value}") for name, value in given.items()]
    with tempfile.TemporaryFile("w+") as said:
        command = [sys.executable, str(SCRIPTS / f"{step}.py"), *flags]
        process = subprocess.Popen(command, stdout=said, stderr=subprocess.STDOUT)
        _, status, used = os.wait4(process.pid, 0)
        said.seek(0)
        text = said.read()
    peak = re.search(r"peak memory (\d+) MB", text)
    if status or not peak:
        sys.exit(text)
    return Cost(used.ru_utime + used.ru_stime, int(peak[1]))


def download(folder: Path) -> Cost:
    return run("download", source=folder / FILES["source"], archive=folder / "made.zip", unpack="{}")


def index(folder: Path, shards: int = 1) -> Cost:
    files = {name: folder / FILES[name] for name in ("source", "index", "quarantine", "depth", "features", "targets")}
    settings = {"task": "{classification: {}}", "layout": LAYOUT, "strict": True, "shards": shards}
    return run("index", **files, **settings, max_megapixels=179, threads=THREADS)


def pack(folder: Path, shards: int = 1) -> Cost:
    files = {name: folder / FILES[name] for name in ("source", "index", "records")}
    return run("pack", **files, layout=LAYOUT, shards=shards)


def preprocess(folder: Path) -> Cost:
    """The training photos alone."""
    files = {name: folder / FILES[name] for name in ("records", "depth", "pixels")}
    return run("preprocess", **files, part="train-0", size=SIDE, fit="crop", no_grey=True, threads=THREADS)


def growth(folder: Path, counts: list[int]) -> None:
    """Time a photo beyond the first thousand, and memory, for few and for many photos, side by side."""
    few, many = counts
    places = {count: folder / str(count) for count in (FEW, few, many)}
    for count, place in places.items():
        place.mkdir()
        make_archive(place / "made.zip", count)
    print(f"{'processor time a photo, peak memory':<36}" + "".join(f"{f'{count:,} photos':>24}" for count in counts))
    for step in (download, index, pack, preprocess):
        # Steps of few photos, one after the other, keep the other core busy for as long as the step of many runs, since
        # even processor time depends on what else runs.
        with ThreadPoolExecutor(1) as beside:
            waiting, some = beside.submit(step, places[many]), [step(places[few])]
            while not waiting.done():
                some.append(step(places[few]))
        start = statistics.mean(step(places[FEW]).seconds for _ in range(REPEATS))
        costs = (
            Cost(statistics.mean(cost.seconds for cost in some), max(cost.memory for cost in some)),
            waiting.result(),
        )
        share = 1 - 1 / TEST_EVERY if step is preprocess else 1.0
        each = [(cost.seconds - start) / (count - FEW) / share for cost, count in zip(costs, counts, strict=True)]
        figures = "".join(
            f"{f'{time * 1e6:.1f} us {cost.memory:5} MB':>24}" for time, cost in zip(each, costs, strict=True)
        )
        print(f"{step.__name__:<36}{figures}   {each[1] / each[0]:.3f} times the time a photo", flush=True)


def shards(folder: Path, counts: list[int]) -> None:
    """What `pack` takes for one part of each split and for a hundred."""
    make_archive(folder / "made.zip", counts[0])
    download(folder)
    print(f"{f'pack, {counts[0]:,} photos':<36}{'processor time':>24}")
    for number in (1, 100):
        index(folder, number)
        costs = [pack(folder, number).seconds for _ in range(REPEATS)]
        print(f"{f'{number} shards':<36}{statistics.median(costs):>22.2f} s", flush=True)


def labels(folder: Path, counts: list[int]) -> None:
    """The peak memory of every step of a whole run on the few photos, with a class for each ten of them."""
    project = copy_project(folder / "project")
    make_archive(folder / "made.zip", counts[0], counts[0] // 10)
    (project / "config/competitions/many.yaml").write_text(yaml.safe_dump(yaml.safe_load(LAYOUT) | {"run": ["cnn"]}))
    small = {"epochs": 2, "width": 8, "batch": 256}
    settings = {"size": SIDE, "folds": 2, "train": {"network": "cnn", "cnn": small}, "predict": {"views": ["plain"]}}
    given = ["competition=many", f"archive={folder / 'made.zip'}", f"experiments={json.dumps({'cnn': settings})}"]
    snakemake(project, "--config", *given)
    logs = {log: re.search(r"peak memory (\d+) MB", log.read_text()) for log in (project / "logs").rglob("*.log")}
    print(f"{f'{counts[0]:,} photos, {counts[0] // 10:,} classes':<36}{'peak memory':>24}")
    for log, peak in sorted(logs.items()):
        if peak:
            print(f"{log.stem:<36}{int(peak[1]):>21} MB", flush=True)


def idle(folder: Path, counts: list[int]) -> None:
    """A run with nothing to do and a dry run, behind a small and a large archive, also once all is touched."""
    project = copy_project(folder / "project")
    facts = yaml.safe_load(LAYOUT) | {"run": ["linear"], "defaults": {"size": SIDE, "folds": 0}}
    (project / "config/competitions/many.yaml").write_text(yaml.safe_dump(facts))
    print(f"{'seconds of snakemake':<36}{'nothing to do':>24}{'dry run':>12}")
    for gigabytes in (0, GIGABYTES):
        make_archive(folder / "made.zip", counts[0] // 100)
        with zipfile.ZipFile(folder / "made.zip", "a") as archive:
            for number in range(gigabytes):
                archive.writestr(f"other/{number}", bytes(10**9))
        given = ["--config", "competition=many", f"archive={folder / 'made.zip'}"]
        snakemake(project, *given)
        for state in ("finished", "touched"):
            if state == "touched":
                for path in [*(project / "data").rglob("*"), *(project / "results").rglob("*")]:
                    path.touch()
            seconds = [
                statistics.median(snakemake(project, *given, *dry) for _ in range(REPEATS)) for dry in ([], ["-n"])
            ]
            what = f"{gigabytes} GB beside the photos, {state}"
            print(f"{what:<36}{seconds[0]:>22.1f} s{seconds[1]:>10.1f} s", flush=True)


ROWS: dict[str, Callable[[Path, list[int]], None]] = {
    "growth": growth,
    "shards": shards,
    "labels": labels,
    "idle": idle,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", nargs="*", choices=ROWS, default=list(ROWS), help="what to measure")
    parser.add_argument("--photos", nargs=2, type=int, default=[100_000, 1_000_000], help="few, many")
    given = parser.parse_args()
    for row in given.rows:
        with tempfile.TemporaryDirectory(prefix="podium-scale-") as folder:
            ROWS[row](Path(folder), given.photos)


if __name__ == "__main__":
    main()
