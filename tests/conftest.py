"""Small competitions of real photos, made from the sample photos that scikit-learn and scikit-image ship."""

import fcntl
import io
import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
import tracemalloc
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from copy import deepcopy
from functools import cache
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest
import yaml
from numpy.typing import NDArray
from PIL import Image

from podium import arrays, tasks
from podium.networks.data import Dataset
from podium.plan.plan import Plan
from podium.predictions.stored import Predictions

ROOT = Path(__file__).parents[1]
PATHS = f"{ROOT / 'workflow/scripts'}:{ROOT / 'tests'}"  # of modules, for another process
SHARED = ROOT.parent / "shared/data"
GROCERY, PICNIC = SHARED / "grocery-hackathon.zip", SHARED / "picnic"
SUBJECTS = ("chelsea", "coffee", "flower", "temple")
CLASSIFICATION: dict[str, Any] = {"classification": {"positive": None, "unknown": None}}
TASK = tasks.task(CLASSIFICATION)
# The settings of `index` but for the layout.
LISTING: dict[str, Any] = {
    "task": CLASSIFICATION,
    "strict": True,
    "shards": 1,
    "max_megapixels": 179,
    "range": None,
    "percentile": None,
}
LISTING |= {"threads": 2}
# The settings of an augmentation that shows photos as they are.
UNVARIED: dict[str, Any] = {"area": [1.0, 1.0], "aspect": 1.0, "shift": 0.0, "rotation": 0.0, "flip": False}
UNVARIED |= {"light": 0.0, "colour": 0.0, "mixup": 0.0, "cutmix": 0.0, "corruptions": []}
# The run of `finished`, below.
ARCHIVE = ("--config", "competition=pets", "archive=pets.zip")
EXPERIMENTS = ("linear", "cnn", "whole", "pupil", "both")
RESULTS = Path("results/pets")

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "2"


@cache
def subject(name: str) -> Image.Image:
    """A whole sample photo."""
    if name in {"flower", "temple"}:
        from sklearn.datasets import load_sample_image

        return Image.fromarray(load_sample_image("flower.jpg" if name == "flower" else "china.jpg"))
    import skimage.data

    return Image.fromarray(getattr(skimage.data, name)())


def encoded(image: Image.Image, format: str, **options: Any) -> bytes:
    out = io.BytesIO()
    image.save(out, format, **options)
    return out.getvalue()


@cache
def photo(name: str, number: int, side: int = 160, format: str = "JPEG") -> bytes:
    """An encoded crop of a sample photo, another one for each number."""
    whole, random = subject(name), np.random.default_rng(number)
    span = int(min(whole.size) * random.uniform(0.6, 0.9))
    left, top = random.integers(0, whole.width - span), random.integers(0, whole.height - span)
    return encoded(whole.resize((side, side), box=(left, top, left + span, top + span)), format)


def table(header: list[str], rows: list[list[str]], delimiter: str = ",") -> bytes:
    return "".join(delimiter.join(row) + "\n" for row in [header, *rows]).encode()


def competition(train: int = 8, test: int = 2, validation: int = 2) -> dict[str, bytes]:
    """The members of an archive: so many photos of each subject in each split, with tables and a sample."""
    members: dict[str, bytes] = {}
    for split, count, start in [("train", train, 0), ("validation", validation, 100), ("test", test, 200)]:
        rows = []
        for number in range(count):
            for name in SUBJECTS:
                file = f"{name[:2]}{start + number}.jpg"
                members[f"{split}/{file}"] = photo(name, start + number)
                rows.append([file, name])
        if split == "test":
            members["test.csv"] = table(["file"], [row[:1] for row in rows])
            members["sample_submission.csv"] = table(["file", "label"], [[row[0], "coffee"] for row in rows])
        else:
            members[f"{split}.csv"] = table(["file", "label"], rows)
    return members


TABLES = {
    split: {"path": f"{split}.csv", "image": f"{split}/{{file}}", "id": "file"}
    | ({} if split == "test" else {"label": "label"})
    for split in ("train", "validation", "test")
}


def write_zip(path: Path, members: dict[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w") as out:
        for name, content in members.items():
            out.writestr(name, content)
    return path


def write_tar(path: Path, members: dict[str, bytes], mode: str = "w:gz") -> Path:
    with tarfile.open(path, mode) as tar:
        for name, content in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    return path


def zeros(count: int, wbits: int = -15) -> bytes:
    """So many MB of zeros, deflated a thousandfold, without making them."""
    deflate = zlib.compressobj(9, wbits=wbits)
    head = deflate.compress(bytes(1 << 20)) + deflate.flush(zlib.Z_FULL_FLUSH)
    block = deflate.compress(bytes(1 << 20)) + deflate.flush(zlib.Z_FULL_FLUSH)
    return head + block * (count - 1)


@contextmanager
def memory_below(limit: int) -> Iterator[None]:
    tracemalloc.start()
    try:
        yield
        assert tracemalloc.get_traced_memory()[1] < limit
    finally:
        tracemalloc.stop()


def write_embeddings(path: Path, **views: NDArray[np.float32]) -> Path:
    """A file such as `embed` writes, of these views [photos, features]."""
    shape = next(iter(views.values())).shape
    rows = np.empty(shape[0], [(view, np.float32, shape[1:]) for view in views])
    for view, embeddings in views.items():
        rows[view] = embeddings
    arrays.write(path, rows.dtype, rows.shape, [rows])
    return path


Values = bytes | int | float | list[bytes] | list[int] | list[float]


def write_tfrecord(path: Path, *examples: dict[str, Values]) -> Path:
    """A file of `tf.train.Example`s with these features, each in the list of its type, as TensorFlow writes it."""
    import tensorflow as tf

    lists = {bytes: ("bytes_list", tf.train.BytesList), int: ("int64_list", tf.train.Int64List)}
    with tf.io.TFRecordWriter(str(path)) as writer:
        for example in examples:
            features = {}
            for name, value in example.items():
                values = value if isinstance(value, list) else [value]
                kind, make = lists.get(type(values[0]), ("float_list", tf.train.FloatList))
                features[name] = tf.train.Feature(**{kind: make(value=values)})
            writer.write(tf.train.Example(features=tf.train.Features(feature=features)).SerializeToString())
    return path


# Kaggle's client as far as we use it: it says what 2.2.5 says, and keeps what it was called with.
CLIENT = """#!{python}
import csv, json, os, pathlib, shutil, sys
here, arguments = pathlib.Path(__file__).parent, sys.argv[1:]
with (here / "calls.jsonl").open("a") as calls:
    calls.write(json.dumps(arguments) + "\\n")
if not (here / "token").exists():
    print("Authentication required to call the Kaggle API.\\n\\nFirst, you will need a Kaggle account.")
    sys.exit(1)
assert arguments[0] == "competitions" and arguments[2] == "-c", arguments
_, command, _, name, *rest = arguments
options = dict(zip(rest[::2], rest[1::2]))
rows = json.loads((here / "rows.json").read_text()) if (here / "rows.json").exists() else []
if name != "pets":
    print("404 Client Error: Not Found for url: https://api.kaggle.com/v1", file=sys.stderr)
    sys.exit(1)
if command == "download":
    shutil.copy(here / "archive.zip", os.path.join(options["-p"], name + ".zip"))
elif command == "submit":
    file = pathlib.Path(options["-f"])
    rows.insert(0, [len(rows), file.name, "2026-11-22", options["-m"], *json.loads((here / "status").read_text())])
    (here / "rows.json").write_text(json.dumps(rows))
    (here / "sent.bytes").write_bytes(file.read_bytes())
elif command == "submissions" and rows:
    print("Warning: there is a newer version of this client")
    table = csv.writer(sys.stdout)
    table.writerow(["ref", "fileName", "date", "description", "status", "publicScore", "privateScore"])
    table.writerows(rows)
elif command == "submissions":
    print("No submissions found")
"""


PENDING, SCORED = ["SubmissionStatus.PENDING", "", ""], ["SubmissionStatus.COMPLETE", "0.875", ""]


class Kaggle:
    """A client of Kaggle in a folder to put on the path, which knows one competition, `pets`."""

    def __init__(self, folder: Path, archive: Path | None = None, scored: bool = False) -> None:
        folder.mkdir()
        self.folder = folder
        (folder / "kaggle").write_text(CLIENT.replace("{python}", sys.executable))
        (folder / "kaggle").chmod(0o755)
        if archive:
            shutil.copy(archive, folder / "archive.zip")
        (folder / "token").touch()
        (folder / "status").write_text(json.dumps(SCORED if scored else PENDING))

    def calls(self) -> list[list[str]]:
        """The arguments of each call so far."""
        path = self.folder / "calls.jsonl"
        return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []

    def score(self, *rows: list[str]) -> None:
        """Gives what was sent a score, and lists these rows below."""
        path = self.folder / "rows.json"
        sent = json.loads(path.read_text()) if path.exists() else []
        scored = [[*row[:4], *SCORED] for row in sent]
        path.write_text(json.dumps([*scored, *rows]))


def dataset(
    files: list[Path],
    rows: np.ndarray,
    targets: np.ndarray,
    groups: np.ndarray,
    left_out: tuple[np.ndarray, np.ndarray] | None = None,
) -> Dataset:
    """A fit's data of one-hot targets; `left_out` are rows and targets that are only measured."""
    more, theirs = left_out or (np.zeros(0, int), targets[:0])
    truth = np.concatenate([targets, theirs]).argmax(1)
    labels, none = list("abcdefghijklmnopqrstuvwxyz"[: targets.shape[1]]), np.zeros((0, targets.shape[1]), np.float32)
    return Dataset(TASK, labels, files, np.concatenate([rows, more]), truth, np.asarray(groups), none)


def joined(blocks: Iterable[np.ndarray]) -> np.ndarray:
    """The blocks of a prediction as one array."""
    return np.concatenate(list(blocks))


def taught(index: pd.DataFrame, labels: Sequence[str]) -> pd.DataFrame:
    """The index with a training photo of each label, which no model has predicted, if it has none at all."""
    ids = [f"taught {number}" for number in range(len(labels))]
    more = pd.DataFrame({"id": ids, "split": "train", "label": labels, "digest": ids, "group": -1})
    return index if (index.split == "train").any() else pd.concat([index, more], ignore_index=True)


def kept(found: Predictions) -> Predictions:
    """The predictions of a file in memory, so that the file may change."""
    return Predictions(found.keys, found[:])


def copy_project(folder: Path) -> Path:
    """A fresh copy of the project, as a clone would be."""
    made = shutil.ignore_patterns(".git", ".venv", ".snakemake", "data", "results", "logs", "__pycache__", ".*_cache")
    return shutil.copytree(ROOT, folder, ignore=made, dirs_exist_ok=True)


def snakemake(project: Path, *arguments: str, fails: bool = False, **environment: str) -> str:
    """What Snakemake says in this copy of the project, on either stream."""
    command = [sys.executable, "-m", "snakemake", *arguments]
    done = subprocess.run(
        command,
        cwd=project,
        env=os.environ | environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    assert (done.returncode != 0) == fails, done.stdout
    return done.stdout


def jobs(project: Path, *arguments: str) -> list[tuple[str, dict[str, str]]]:
    """The rules and wildcards of a dry run."""
    said = snakemake(project, "--quiet", "host", "--dry-run", *(arguments or ARCHIVE))
    found = []
    for rule, body in re.findall(r"^(?:local)?rule (\w+):\n((?:    .*\n)+)", said, re.M):
        wildcards = re.search(r"^    wildcards: (.*)$", body, re.M)
        pairs = wildcards[1].split(", ") if wildcards else []
        found.append((rule, dict(pair.split("=", 1) for pair in pairs)))
    return found


def scheduled(project: Path, *arguments: str) -> set[str]:
    """The jobs of a dry run, as `rule` or `rule experiment`."""
    named = [f"{rule} {wildcards.get('experiment', '')}".strip() for rule, wildcards in jobs(project, *arguments)]
    return set(named) - {"all"}


def edit(path: Path, change: Callable[[dict], object]) -> None:
    """Changes a YAML file."""
    content = yaml.safe_load(path.read_text())
    change(content)
    path.write_text(yaml.safe_dump(content))


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """A finished run on 32 photos, of which one training and one test file are broken.

    Both small networks in folds and their blend; one of them on all photos too, which teaches the other. Processes that
    run tests side by side share the run, and each has a copy.
    """
    base, alone = tmp_path_factory.getbasetemp(), "PYTEST_XDIST_WORKER" not in os.environ
    whole = (base if alone else base.parent) / "finished"
    with (whole.parent / "finished.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (whole / "said.txt").exists():
            said = finish_a_project(copy_project(whole))
            (whole / "said.txt").write_text(said)
    project = shutil.copytree(whole, tmp_path_factory.mktemp("project"), symlinks=True, dirs_exist_ok=True)
    (project / "said.txt").unlink()
    return project, (whole / "said.txt").read_text()


def finish_a_project(project: Path) -> str:
    """What Snakemake says of the run of `finished`."""
    members = competition(train=8, validation=2, test=2)
    members["train/co3.jpg"] = members["train/co3.jpg"][:400]  # before its first row
    members["test/te201.jpg"] = b""
    members["unused.bin"] = np.random.default_rng(0).bytes(3 << 20)  # so that the archive is more than a small file
    write_zip(project / "pets.zip", members)
    facts = {"metric": "macro_f1", "tables": TABLES, "submission": {"sample": "sample_submission.csv"}}
    (project / "config/competitions/pets.yaml").write_text(yaml.safe_dump({**facts, "run": list(EXPERIMENTS)}))

    def shrink(config: dict) -> None:
        config["defaults"] |= {"size": 64, "folds": 2}
        config["defaults"]["robustness"] |= {"noise": [0.4], "blur": [], "jpeg": [10], "brightness": []}
        config["defaults"]["train"]["cnn"] |= {"epochs": 3, "width": 8, "batch": 8}
        config["experiments"]["linear"]["size"] = 64
        config["experiments"]["whole"] = {"folds": 0, "train": {"network": "head"}}
        config["experiments"]["pupil"] = {"folds": 0, "train": {"network": "cnn", "teachers": ["whole"]}}
        config["ensembles"]["both"] = ["linear", "cnn"]

    edit(project / "config/config.yaml", shrink)
    return snakemake(project, "--cores", "all", *ARCHIVE)


# The config of the plans that `plan` makes.
PLANNED = yaml.safe_load((ROOT / "config/config.yaml").read_text()) | {"run": ["linear"]}


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder, with the competitions of the repository and one of tables, `pets`."""
    folder = tmp_path / "config/competitions"
    folder.mkdir(parents=True)
    for path in (ROOT / "config/competitions").glob("*.yaml"):
        (folder / path.name).write_text(path.read_text())
    (tmp_path / "pets.zip").write_bytes(b"")
    pets(tmp_path, archive="pets.zip")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def pets(project: Path, **facts: Any) -> None:
    said = facts if "names" in facts else {"tables": TABLES, **facts}
    (project / "config/competitions/pets.yaml").write_text(yaml.safe_dump(said))


def plan(change: Callable[[dict[str, Any]], object] = lambda _: None, **given: Any) -> Plan:
    """The plan of the repository's config with a change to it, and what the command line gave over it."""
    config = deepcopy(PLANNED)
    change(config)
    return Plan({**config, "competition": "pets", **given}, given)


def job(**wildcards: str) -> SimpleNamespace:
    usual = {"competition": "pets", "experiment": "linear", "fit": "seed0-fold0", "part": "train-0"}
    return SimpleNamespace(**{**usual, **wildcards})


def without_validation(project: Path) -> None:
    tables = {split: table for split, table in TABLES.items() if split != "validation"}
    (project / "config/competitions/pets.yaml").write_text(yaml.safe_dump({"tables": tables, "archive": "pets.zip"}))


def with_folds(count: int, *seeds: int) -> Callable[[dict[str, Any]], object]:
    def change(config: dict[str, Any]) -> None:
        config["experiments"]["linear"]["folds"] = count
        config["defaults"]["train"]["seeds"] = list(seeds) or [0]

    return change


def ensemble(*members: str) -> Callable[[dict[str, Any]], object]:
    return lambda config: config.update(run=["mix"], ensembles={"mix": list(members), "other.one": ["linear", "cnn"]})


def embeddings(*files: str) -> list[str]:
    return [f"data/pets/224px/efficientnet_lite0/{file}.npy" for file in files]
