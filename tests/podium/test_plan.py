"""What the config means: which setting wins, what is refused, and what each rule is given."""

from collections.abc import Callable
from copy import deepcopy
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import yaml
from conftest import ROOT, TABLES

from podium.plan import Plan
from podium.settings import ConfigError

CONFIG = yaml.safe_load((ROOT / "config/config.yaml").read_text())


@pytest.fixture(autouse=True)
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project folder with the competitions of the repository and one of tables, `pets`."""
    folder = tmp_path / "config/competitions"
    folder.mkdir(parents=True)
    for path in (ROOT / "config/competitions").glob("*.yaml"):
        (folder / path.name).write_text(path.read_text())
    (tmp_path / "pets.zip").write_bytes(b"")
    pets(tmp_path, archive="pets.zip")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def pets(project: Path, **facts: Any) -> None:
    (project / "config/competitions/pets.yaml").write_text(yaml.safe_dump({"tables": TABLES, **facts}))


def plan(change: Callable[[dict[str, Any]], object] = lambda _: None, **given: Any) -> Plan:
    """The plan of the repository's config with a change to it, and what the command line gave over it."""
    config = deepcopy(CONFIG)
    change(config)
    return Plan({**config, "competition": "pets", **given}, given)


def job(**wildcards: str) -> SimpleNamespace:
    return SimpleNamespace(**{"competition": "pets", "experiment": "quick", "fold": "0", **wildcards})


REFUSED = {
    "unknown key": (lambda c: c["experiments"]["quick"].update(epochs=3), "experiments.quick: unknown key 'epochs'"),
    "unknown key of a rule": (
        lambda c: c["experiments"]["cnn"]["train"].update(cnn={"epoch": 3}),
        "experiments.cnn.train.cnn: unknown key 'epoch' (did you mean 'epochs'?)",
    ),
    "wrong type": (lambda c: c["defaults"].update(folds="5"), "defaults.folds: '5' is not of type integer"),
    "a number that YAML reads as text": (
        lambda c: c["defaults"]["train"]["cnn"].update(yaml.safe_load("learning_rate: 1e-3")),
        "defaults.train.cnn.learning_rate: '1e-3' is not of type number (YAML reads 1e-3 as text: write 1.0e-3)",
    ),
    "true for a number": (lambda c: c["defaults"].update(size=True), "defaults.size: True is not of type integer"),
    "out of range": (lambda c: c["defaults"].update(folds=1), "defaults.folds: 1 is less than the minimum of 2"),
    "unknown network": (
        lambda c: c["defaults"]["train"].update(network="mlp"),
        "defaults.train.network: 'mlp' is not one",
    ),
    "unknown backbone": (
        lambda c: c["experiments"]["quick"].update(backbone="efficientnet_lite9"),
        "experiments.quick.backbone: no backbone 'efficientnet_lite9' (did you mean",
    ),
    "a random view to predict": (lambda c: c["defaults"]["predict"].update(views=["crop-1"]), "'crop-1' is not one of"),
    "a missing key of the data": (lambda c: c.update(index={"strict": True}), "config.yaml: index.shards is missing"),
    "a missing key": (lambda c: c["defaults"].pop("folds"), "experiments.quick (over defaults): folds is missing"),
    "an experiment that is not there": (
        lambda c: c.update(run=["quik"]),
        "run: no experiment 'quik' (did you mean 'quick'?)",
    ),
    "no competition": (lambda c: c.pop("run"), "config/config.yaml: run is missing"),
}


@pytest.mark.parametrize(("change", "message"), REFUSED.values(), ids=REFUSED)
def test_a_wrong_config_is_refused_in_one_line(change: Callable[[dict[str, Any]], object], message: str) -> None:
    with pytest.raises(ConfigError) as refused:
        plan(change)
    assert message in str(refused.value)
    assert "\n" not in str(refused.value)


COMPETITIONS = {
    "tables that are none": ({"tables": None}, "pets.yaml: tables: None is not of type object"),
    "unknown key": ({"metrics": "accuracy"}, "unknown key 'metrics' (did you mean 'metric'?)"),
    "a table without an id": (
        {"tables": {**TABLES, "test": {"path": "a", "image": "b"}}},
        "tables.test: id is missing",
    ),
    "a URL without a digest": (
        {"archive": "https://example.org/a.zip"},
        "pets.yaml: sha256: an archive at a URL needs one",
    ),
    "a digest that is none": ({"sha256": "abc"}, "sha256: 'abc' does not match"),
    "no such archive": ({"archive": "nowhere.zip"}, "archive: no file or folder at nowhere.zip"),
    "no archive": ({}, "pets.yaml: archive: bring it with --config competition=pets archive=PATH_OR_URL"),
    "an experiment that is not there": ({"run": ["more"]}, "run: no experiment 'more'"),
}


@pytest.mark.parametrize(("facts", "message"), COMPETITIONS.values(), ids=COMPETITIONS)
def test_a_wrong_competition_is_refused_in_one_line(project: Path, facts: dict[str, Any], message: str) -> None:
    pets(project, **facts)
    with pytest.raises(ConfigError) as refused:
        plan()
    assert message in str(refused.value)
    assert "\n" not in str(refused.value)


def test_the_command_line_wins_over_the_competition_which_wins_over_the_config(project: Path) -> None:
    pets(project, archive="pets.zip", run=["cnn"], defaults={"folds": 3})
    assert plan().targets == ["results/pets/cnn/submission.csv", "results/pets/leaderboard.csv"]
    assert plan().folds(job()) == "data/pets/folds3.csv"
    assert plan(run=["quick"]).targets[0] == "results/pets/quick/submission.csv"
    changed = {"defaults": {**CONFIG["defaults"], "folds": 4}}
    assert plan(**changed).folds(job()) == "data/pets/folds4.csv"


def test_the_submission_takes_the_suffix_of_the_sample(project: Path) -> None:
    pets(project, archive="pets.zip", submission={"sample": "sample.tsv"})
    assert plan().targets[0] == "results/pets/quick/submission.tsv"
    with pytest.raises(ConfigError, match=r"the submission of pets is submission\.tsv"):
        plan().settings("submit", job(submission="submission.csv"))


def test_an_archive_from_the_command_line_leaves_the_digest_of_another_behind(project: Path) -> None:
    pets(project, archive="https://example.org/a.zip", sha256="0" * 64)
    assert plan().settings("download", job()) == {"archive": "https://example.org/a.zip", "sha256": "0" * 64}
    assert plan(archive="pets.zip").settings("download", job()) == {"archive": "pets.zip", "sha256": None}


def embeddings(*files: str) -> list[str]:
    return [f"data/pets/224px/efficientnet_lite0/{file}.npz" for file in files]


def test_each_network_reads_its_own_kind_of_files_in_the_index_s_order() -> None:
    two = plan(lambda config: config["index"].update(shards=2))
    to_train, to_predict = "plain+zoom-flip+crop-1+crop-2", "plain+zoom-flip"
    assert two.photos("train", job()) == embeddings(f"{to_train}/train-0", f"{to_train}/train-1")
    rest = [f"{to_predict}/{split}-{shard}" for split in ("validation", "test") for shard in (0, 1)]
    assert two.photos("predict", job()) == embeddings(f"{to_train}/train-0", f"{to_train}/train-1", *rest)
    pixels = [f"data/pets/224px/train-{shard}.npy" for shard in (0, 1)]
    assert two.photos("train", job(experiment="cnn")) == pixels
    assert plan().settings("embed", job(backbone="b", views=to_predict))["views"] == ["plain", "zoom-flip"]


@pytest.mark.parametrize(
    ("views", "files"),
    [
        (["plain"], ["plain+zoom-flip+crop-1+crop-2/train-0", "plain/validation-0", "plain/test-0"]),
        (
            ["plain", "flip"],
            ["plain+zoom-flip+crop-1+crop-2/train-0", "flip/train-0", "plain+flip/validation-0", "plain+flip/test-0"],
        ),
        (["flip"], ["flip/train-0", "flip/validation-0", "flip/test-0"]),
    ],
)
def test_other_views_to_predict_leave_the_files_to_train_on_alone(views: list[str], files: list[str]) -> None:
    changed = plan(lambda config: config["defaults"]["predict"].update(views=views))
    assert changed.photos("predict", job()) == embeddings(*files)
    assert changed.photos("train", job()) == plan().photos("train", job())


def test_a_folder_is_tracked_by_what_is_in_it(project: Path) -> None:
    (project / "photos/a").mkdir(parents=True)
    pets(project, archive="photos")
    before = plan().archive_state("pets")
    assert plan().archive_state("pets") == before
    (project / "photos/a/new.jpg").write_bytes(b"x")
    assert plan().archive_state("pets") != before


def test_the_summary_waits_until_everything_is_there() -> None:
    assert plan().summary() == ""
