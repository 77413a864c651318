"""Every ready example does what its first lines say: the very commands that stand there, on few photos and in short."""

import gzip
import io
import re
import shlex
import struct
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import yaml
from conftest import ROOT, SUBJECTS, competition, copy_project, photo, snakemake, table, write_zip
from PIL import Image

from podium.photos import images, masks
from podium.plan.config import Config
from podium.plan.settings import merge

EXAMPLES = {path.stem: path for path in sorted((ROOT / "config/examples").glob("*.yaml"))}
SHORT = {"epochs": 2, "batch": 8}
# What makes an example small, and leaves what it is about as it is; the weights that Podium lacks are random.
SMALL: dict[str, dict[str, Any]] = {
    "colour-the-horses": {name: {"train": {"small_unet": {**SHORT, "width": 8}}} for name in ("regression", "bins")},
    "cut-out-the-flowers": {
        name: {"size": 32, "train": {name: {**SHORT, "sizes": [32], "width": 8}}} for name in ("unet", "deeplab")
    },
    "first-cnn": {"cnn": {"train": {"cnn": {**SHORT, "width": 4}}}},
    "noisy-flowers": {
        name: {"size": 64, "folds": 0, "held_out": False, "robustness": {"noise": [0.1]}} for name in ("clean", "noisy")
    },
    "picnic-entry": {"entry": {"weights": "none", "size": 75, "folds": 2}},
    "progressive-resizing": {
        "frozen": {"size": 64},
        "progressive": {"size": 64, "train": {"seeds": [0], "finetune": {"sizes": [32, 48], "frozen": 0.8, **SHORT}}},
    },
    "street-scenes": {
        name: {"size": 64, "train": {"unet": {**SHORT, "sizes": [32], "width": 8}}} for name in ("small", "large")
    },
    "three-approaches": {
        "mlp": {"train": {"mlp": {**SHORT, "layers": [8]}}},
        "cnn": {"train": {"cnn": {**SHORT, "width": 4}}},
        "inception": {"weights": "none"},
    },
}


def header(path: Path) -> str:
    """The comment that an example begins with."""
    lines = path.read_text().splitlines()
    return "\n".join(lines[: next(place for place, line in enumerate(lines) if not line.startswith("#"))])


def commands(path: Path) -> list[list[str]]:
    """The commands in it: the lines that stand further in, a backslash joining two."""
    lines = [line[4:] for line in header(path).splitlines() if line.startswith("#   ")]
    return [shlex.split(each) for each in "\n".join(lines).replace("\\\n", "").splitlines()]


def tables() -> dict[str, bytes]:
    """Photos with tables of tabs, as the groceries and Picnic have them."""
    found = {}
    for name, content in competition(train=6).items():
        tabs = content.replace(b",", b"\t") if name.endswith(".csv") else content
        found[name.replace(".csv", ".tsv")] = tabs
    return found


def folders() -> dict[str, bytes]:
    return {f"{name}/{number}.jpg": photo(name, number) for name in SUBJECTS for number in range(8)}


def pixels(first: int, count: int, side: int) -> tuple[np.ndarray, np.ndarray]:
    """So many small photos of each subject, uint8 [n, side, side, 3], and the numbers of their classes."""
    numbers = range(first, first + count)
    decoded = [images.decode(photo(name, number, side), side) for number in numbers for name in SUBJECTS]
    return np.stack(decoded), np.tile(np.arange(len(SUBJECTS), dtype=np.uint8), count)


def cifar() -> dict[str, bytes]:
    members = {}
    for number in range(6):
        photos, labels = pixels(10 * number, 2, 32)
        rows = np.concatenate([labels[:, None], photos.transpose(0, 3, 1, 2).reshape(len(labels), -1)], 1)
        members[f"data_batch_{number}.bin" if number else "test_batch.bin"] = rows.tobytes()
    return members


def idx() -> dict[str, bytes]:
    members = {}
    for split, first, count in (("train", 0, 8), ("t10k", 200, 2)):
        photos, labels = pixels(first, count, 28)
        for name, values in (("images-idx3", photos[..., 0]), ("labels-idx1", labels)):
            start = struct.pack(f">4B{values.ndim}I", 0, 0, 8, values.ndim, *values.shape)
            members[f"{split}-{name}-ubyte.gz"] = gzip.compress(start + values.tobytes())
    return members


def drawn(classes: list[int], number: int, width: int, height: int) -> bytes:
    """A mask of stripes of these classes."""
    stripes = np.resize(np.array(classes, np.uint8), height // 4).repeat(4)[:height]
    return masks.encode(np.roll(stripes, number)[:, None].repeat(width, 1))


def masked(parts: dict[str, range], classes: list[int], width: int, height: int) -> dict[str, bytes]:
    """Photos with masks, and tables of their ids; those of the test have no masks."""
    members = {}
    for part, numbers in parts.items():
        ids = [f"{number:04}" for number in numbers]
        members[f"{part}.csv"] = table(["id"], [[key] for key in ids])
        for number, key in zip(numbers, ids, strict=True):
            shown = images.decode(photo(SUBJECTS[number % len(SUBJECTS)], number), height)
            shown = np.tile(shown, (1, -(-width // height), 1))[:, :width]
            members[f"{part}/photos/{key}.jpg"] = jpeg(shown)
            if part != "test":
                members[f"{part}/masks/{key}.png"] = drawn(classes, number, width, height)
    return members


def jpeg(pixels: np.ndarray) -> bytes:
    out = io.BytesIO()
    Image.fromarray(pixels).save(out, "JPEG")
    return out.getvalue()


def flowers() -> dict[str, bytes]:
    members = masked({"train": range(20), "test": range(20, 26)}, [0, 1, 2, 3, 4], 64, 64)
    ids = [name[-8:-4] for name in members if name.startswith("test/")]
    del members["test.csv"]
    return members | {"sample_submission.csv": table(["id", "rle_mask"], [[key, "1 1"] for key in ids])}


def streets() -> dict[str, bytes]:
    return masked({"train": range(12), "validation": range(12, 16), "test": range(16, 20)}, [*range(12)], 96, 72)


def horses() -> dict[str, bytes]:
    def shown(number: int) -> np.ndarray:
        return images.decode(photo(SUBJECTS[number % len(SUBJECTS)], number), 32)

    grey = {f"test/{n:04}.png": images.png(np.asarray(Image.fromarray(shown(n)).convert("L"))) for n in range(20, 26)}
    return {f"train/{n:04}.jpg": jpeg(shown(n)) for n in range(20)} | grey


MEMBERS: dict[str, Callable[[], dict[str, bytes]]] = {
    "camvid": streets,
    "cifar10": cifar,
    "fashion-mnist": idx,
    "flowers": folders,
    "flowers17": flowers,
    "grocery": tables,
    "horses": horses,
    "picnic": tables,
}

KIN = ("fashion-mnist", "mnist", "kmnist")
OTHERS = [(name, competition) for name in ("first-cnn", "three-approaches") for competition in KIN]


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the project with small archives, a photo, and for each example a file of small settings."""
    project = copy_project(tmp_path_factory.mktemp("project"))
    (project / "photo.jpg").write_bytes(photo("chelsea", 0))
    for name, members in MEMBERS.items():
        archive = write_zip(project / f"{name}.zip", members())
        path = project / f"config/competitions/{name}.yaml"
        facts = yaml.safe_load(path.read_text()) | {"archive": str(archive), "sha256": None}
        path.write_text(yaml.safe_dump(facts))
    for name, experiments in SMALL.items():
        (project / f"{name}.yaml").write_text(yaml.safe_dump({"experiments": experiments}))
    return project


def run(project: Path, name: str, words: list[str]) -> None:
    """One command of an example, with its small settings behind its own."""
    if words[0] == "python":
        subprocess.run([sys.executable, *words[1:]], cwd=project, check=True)
    else:
        behind = words.index("--configfile") + 2
        snakemake(project, *words[1:behind], f"{name}.yaml", *words[behind:])


LONG = (
    "colour-the-horses",
    "cut-out-the-flowers",
    "street-scenes",
    "noisy-flowers",
    "picnic-entry",
    "progressive-resizing",
    "three-approaches",
)


@pytest.mark.parametrize("name", [pytest.param(name, marks=[pytest.mark.slow] * (name in LONG)) for name in EXAMPLES])
def test_an_example_runs_as_its_first_lines_say_and_leaves_what_they_name(prepared: Path, name: str) -> None:
    example = yaml.safe_load(EXAMPLES[name].read_text())
    competition = example["competition"]
    for words in commands(EXAMPLES[name]):
        run(prepared, name, [word.replace("PATH", f"{competition}.zip") for word in words])
    named = re.findall(r"(?:config|results|workflow)/[\w./*-]*\w|\w+\.(?:png|zip)", header(EXAMPLES[name]))
    assert [each for each in named if not [*prepared.glob(each)]] == []
    board = pd.read_csv(prepared / f"results/{competition}/leaderboard.csv")
    assert set(board.experiment) == set(example["run"])
    tests = pd.read_csv(prepared / f"data/{competition}/index.csv", dtype=str).query("split == 'test'")
    for experiment in example["run"]:
        predicted = pd.read_csv(prepared / f"results/{competition}/{experiment}/predictions.csv", dtype=str)
        assert list(predicted.id[predicted.split == "test"]) == list(tests.id)


@pytest.mark.parametrize("name", EXAMPLES)
def test_an_example_names_its_own_file_and_its_own_experiments(name: str) -> None:
    example, said = yaml.safe_load(EXAMPLES[name].read_text()), header(EXAMPLES[name])
    assert set(example["run"]) == set(example["experiments"])
    assert set(re.findall(r"config/examples/[\w.-]+", said)) == {f"config/examples/{name}.yaml"}
    results = re.findall(r"results/([\w-]+)/(?:([\w-]+)/)?", said)
    assert {each for each, _ in results} == {example["competition"]}
    assert {each for _, each in results if each} <= set(example["run"])
    assert set(re.findall(r"competition=([\w-]+)", said)) <= set(KIN)
    assert f"`{name}`" in (ROOT / "README.md").read_text()


@pytest.mark.parametrize(("name", "competition"), [*((name, "") for name in EXAMPLES), *OTHERS])
def test_what_an_example_says_wins_over_what_its_competition_says(
    name: str, competition: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(ROOT)
    example = yaml.safe_load(EXAMPLES[name].read_text())
    given = example | ({"competition": competition} if competition else {})
    below = yaml.safe_load(Path("config/config.yaml").read_text())
    config = Config(merge(below, given), given)
    facts = config.facts(config.competition)
    assert facts["run"] == example["run"]
    for experiment, own in example["experiments"].items():
        whole = config.experiment(config.competition, experiment)
        same_name = below["experiments"].get(experiment, {})
        said = merge(example.get("defaults", {}), merge(same_name, own))
        assert merge(whole, said) == whole
        # What none of them says is the competition's.
        assert merge(merge(whole, facts["defaults"]), said) == whole


def test_the_figures_of_the_groceries_are_those_of_the_same_settings_in_config_yaml(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(ROOT)
    example = yaml.safe_load(EXAMPLES["progressive-resizing"].read_text())
    below = yaml.safe_load(Path("config/config.yaml").read_text())
    config, plain = Config(merge(below, example), example), Config(below, {})
    for own, measured in (("frozen", "quick"), ("progressive", "finetune")):
        assert f"`{own}`" in header(EXAMPLES["progressive-resizing"])
        assert config.experiment("grocery", own) == plain.experiment("grocery", measured)
