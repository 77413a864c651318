"""What the config means: which setting wins, and what is refused before any work."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from conftest import PLANNED, TABLES, job, pets, plan

from podium.plan.plan import Plan
from podium.plan.settings import ConfigError

pytestmark = pytest.mark.usefixtures("project")


def teachers(config: dict[str, Any], experiment: str, *names: str) -> None:
    config["experiments"][experiment]["train"]["teachers"] = list(names)


REFUSED = {
    "unknown key": (lambda c: c["experiments"]["linear"].update(epochs=3), "experiments.linear: unknown key 'epochs'"),
    "unknown key of a rule": (
        lambda c: c["experiments"]["cnn"]["train"].update(cnn={"epoch": 3}),
        "experiments.cnn.train.cnn: unknown key 'epoch' (did you mean 'epochs'?)",
    ),
    "wrong type": (lambda c: c["defaults"].update(folds="5"), "defaults.folds: '5' is not of type integer"),
    "a number that YAML reads as text": (
        lambda c: c["defaults"]["train"]["cnn"].update(yaml.safe_load("learning_rate: 1e-3")),
        "defaults.train.cnn.learning_rate: '1e-3' is not of type number (YAML parses 1e-3 as text: write 1.0e-3)",
    ),
    "true for a number": (lambda c: c["defaults"].update(size=True), "defaults.size: True is not of type integer"),
    "out of range": (lambda c: c["defaults"].update(folds=101), "defaults.folds: 101 is greater than the maximum"),
    "an area the wrong way round": (
        lambda c: c["defaults"]["train"]["cnn"]["augment"].update(area=[1.2, 0.8]),
        "experiments.linear.train.cnn.augment.area: the least comes first, then the most",
    ),
    "a range the wrong way round": (
        lambda c: c["index"].update(range=[4095, 0]),
        "config/competitions/pets.yaml: index.range: the least comes first, then the most",
    ),
    "a range and a percentile": (
        lambda c: c["index"].update(range=[0, 4095], percentile=99.9),
        "index.range and index.percentile: give one of them, and null for the other",
    ),
    "a fit that is none": (lambda c: c["preprocess"].update(fit="stretch"), "preprocess.fit: 'stretch' is not one of"),
    "frozen layers that are counted": (
        lambda c: c["defaults"]["train"]["finetune"].update(frozen=15),
        "defaults.train.finetune.frozen: 15 is greater than or equal to the maximum of 1",
    ),
    "all of a network frozen": (
        lambda c: c["experiments"]["finetune"]["train"].update(finetune={"frozen": 1}),
        "experiments.finetune.train.finetune.frozen: 1 is greater than or equal to the maximum of 1",
    ),
    "one fold": (lambda c: c["defaults"].update(folds=1), "defaults.folds: 1 is not allowed"),
    "no seeds": (lambda c: c["defaults"]["train"].update(seeds=[]), "defaults.train.seeds: "),
    "a seed twice": (lambda c: c["defaults"]["train"].update(seeds=[1, 1]), "defaults.train.seeds: [1, 1] has non-un"),
    "a missing key of the device": (lambda c: c["device"].pop("threads"), "config.yaml: device: threads is missing"),
    "a precision that is none": (lambda c: c["device"].update(precision="half"), "device.precision: 'half' is not one"),
    "no GPU for a fit": (lambda c: c["device"].update(gpus=0), "device.gpus: 0 is less than the minimum of 1"),
    "no threads": (lambda c: c["device"].update(threads=0), "device.threads: 0 is less than the minimum of 1"),
    "an unknown member": (
        lambda c: c.update(run=["mix"], ensembles={"mix": ["linear", "finetunes"]}),
        "ensembles.mix: no experiment 'finetunes' (did you mean 'finetune'?)",
    ),
    "an ensemble in an ensemble": (
        lambda c: c.update(run=["mix"], ensembles={"mix": ["linear", "pair"], "pair": ["linear", "cnn"]}),
        "ensembles.mix: no experiment 'pair'",
    ),
    "an ensemble of one": (lambda c: c.update(ensembles={"mix": ["linear"]}), "ensembles.mix: ['linear'] is too short"),
    "an ensemble that has the name of an experiment": (
        lambda c: c.update(ensembles={"linear": ["cnn", "finetune"]}),
        "ensembles.linear: there is an experiment of this name",
    ),
    "a teacher that is not there": (
        lambda c: c.update(run=["student"]) or teachers(c, "student", "finetunes"),
        "experiments.student.train.teachers: no experiment 'finetunes' (did you mean 'finetune'?)",
    ),
    "a teacher of a linear head": (
        lambda c: teachers(c, "linear", "cnn"),
        "experiments.linear.train.teachers: the network head cannot have teachers",
    ),
    "a teacher that is taught": (
        lambda c: c.update(run=["finetune"]) or teachers(c, "finetune", "student"),
        "experiments.finetune.train.teachers: 'student' has teachers itself",
    ),
    "its own teacher": (
        lambda c: c.update(run=["cnn"]) or teachers(c, "cnn", "cnn"),
        "experiments.cnn.train.teachers: 'cnn' has teachers itself",
    ),
    "a teacher with other folds": (
        lambda c: c.update(run=["student"]) or teachers(c, "student", "finetune", "cnn"),
        "experiments.student.train.teachers: a teacher must have the same folds ('cnn' 5, student 0)",
    ),
    "unknown network": (
        lambda c: c["defaults"]["train"].update(network="vit"),
        "defaults.train.network: 'vit' is not one",
    ),
    "unknown backbone": (
        lambda c: c["experiments"]["linear"].update(backbone="efficientnet_lite9"),
        "experiments.linear.backbone: no backbone 'efficientnet_lite9' (did you mean",
    ),
    "a file of weights that is not there": (
        lambda c: c["experiments"]["linear"].update(backbone="mobilenet_v2", weights="mine.h5"),
        "experiments.linear.weights: no file at mine.h5",
    ),
    "weights of no known kind": (
        lambda c: c["experiments"]["linear"].update(backbone="mobilenet_v2", weights="imagnet"),
        "experiments.linear.weights: imagnet is neither imagenet nor none nor a .h5 or .keras file",
    ),
    "a backbone that has one kind of weights": (
        lambda c: c["experiments"]["linear"].update(weights="none"),
        "experiments.linear.weights: efficientnet_lite0 has imagenet weights only",
    ),
    "a SavedModel that is none": (
        lambda c: c["experiments"]["linear"].update(backbone="saved_model"),
        "experiments.linear.weights: saved_model needs a folder, or a handle that begins with kaggle:",
    ),
    "a folder that is not there": (
        lambda c: c["experiments"]["linear"].update(backbone="saved_model", weights="hub"),
        "experiments.linear.weights: no folder at hub",
    ),
    "a random view to predict": (lambda c: c["defaults"]["predict"].update(views=["crop-1"]), "'crop-1' is not one of"),
    "a missing key of the data": (lambda c: c.update(index={"strict": True}), "config.yaml: index.shards is missing"),
    "a missing key": (lambda c: c["defaults"].pop("folds"), "experiments.linear (over defaults): folds is missing"),
    "an experiment that is not there": (
        lambda c: c.update(run=["linea"]),
        "no experiment 'linea' (did you mean 'linear'?)",
    ),
    "unknown key at the top": (lambda c: c.update(epoch=3), "config/config.yaml: unknown key 'epoch'"),
    "no run": (lambda c: c.pop("run"), "config/config.yaml: run is missing"),
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
    "a form that is none": ({"submission": {"form": "label"}}, "submission.form: 'label' is not one of"),
    "a zip without attempts": ({"submission": {"zip": {"file": "a"}}}, "submission.zip: attempts is missing"),
    "a URL without a digest": (
        {"archive": "https://example.org/a.zip"},
        "pets.yaml: sha256: an archive at a URL needs one",
    ),
    "a digest that is none": ({"sha256": "abc"}, "sha256: 'abc' does not match"),
    "a file without a digest": (
        {"archive": {"a.gz": {"url": "https://example.org/a.gz"}}},
        "pets.yaml: archive.a.gz: sha256 is missing",
    ),
    "a file that leads outside": ({"archive": {"../a": {"url": "https://a", "sha256": "0" * 64}}}, "'../a' does not"),
    "one digest of several files": (
        {"archive": {"a.gz": {"url": "https://example.org/a.gz", "sha256": "0" * 64}}, "sha256": "0" * 64},
        "pets.yaml: sha256: leave it out; each of several files has its own",
    ),
    "two layouts": (
        {"folders": {"path": "", "holdout": 0.2, "seed": 0}},
        "give either tables or folders or names or idx or cifar or tfrecord",
    ),
    "no such archive": ({"archive": "nowhere.zip"}, "archive: no file or folder at nowhere.zip"),
    "no archive": ({}, "pets.yaml: archive: bring it with --config competition=pets archive=PATH_OR_URL"),
    "an experiment that is not there": ({"archive": "pets.zip", "run": ["more"]}, "no experiment 'more'"),
    "other ids without a sample": (
        {"archive": "pets.zip", "submission": {"ids": "test"}},
        "pets.yaml: submission.ids: has no effect without `sample`",
    ),
    "top of another form": (
        {"archive": "pets.zip", "submission": {"top": 3}},
        "pets.yaml: submission.top: has no effect without `form: top`",
    ),
    "a separator of another form": (
        {"archive": "pets.zip", "submission": {"form": "probabilities", "separator": "|"}},
        "pets.yaml: submission.separator: has no effect without `form: top`",
    ),
    "a sample without a name": (
        {"archive": "pets.zip", "submission": {"sample": ""}},
        "submission.sample: '' should be",
    ),
    "an archive without a name": ({"archive": ""}, "pets.yaml: archive: '' should be non-empty"),
    "the digest of a folder": (
        {"archive": "config", "sha256": "0" * 64},
        "pets.yaml: sha256: config is not a file and has",
    ),
    "the digest of what Podium makes": (
        {"archive": "builtin:digits", "sha256": "0" * 64},
        "pets.yaml: sha256: builtin:digits is not a file and has none; leave it out",
    ),
}


@pytest.mark.parametrize(("facts", "message"), COMPETITIONS.values(), ids=COMPETITIONS)
def test_a_wrong_competition_is_refused_in_one_line(project: Path, facts: dict[str, Any], message: str) -> None:
    pets(project, **facts)
    with pytest.raises(ConfigError) as refused:
        plan()
    assert message in str(refused.value)
    assert "\n" not in str(refused.value)


FOLDERS = {"folders": {"path": "", "holdout": 0.2, "seed": 0}}


def test_a_template_that_names_no_column_is_refused(project: Path) -> None:
    tables = {**TABLES, "test": {**TABLES["test"], "image": "test/file.jpg"}}
    (project / "config/competitions/pets.yaml").write_text(yaml.safe_dump({"tables": tables, "archive": "pets.zip"}))
    said = r"pets\.yaml: tables\.test\.image: 'test/file\.jpg' is one file for all rows; name a column in braces, such"
    with pytest.raises(ConfigError, match=said + r' as "\{file\}"'):
        plan()


def test_groups_that_are_given_twice_are_refused(project: Path) -> None:
    groups = {"path": "groups.csv", "id": "file", "group": "place"}
    pets(project, tables={**TABLES, "groups": groups, "train": {**TABLES["train"], "group": "place"}})
    with pytest.raises(
        ConfigError, match=r"pets\.yaml: tables\.train\.group: leave it out; the table `groups` says it"
    ):
        plan()


def test_a_sample_counts_in_every_layout(project: Path) -> None:
    facts = {"archive": "pets.zip", **FOLDERS, "submission": {"sample": "sample.tsv", "ids": "test"}}
    (project / "config/competitions/pets.yaml").write_text(yaml.safe_dump(facts))
    asked = plan().settings("ask", job())
    assert (asked["tables"], asked["sample"], asked["ids"]) == (None, "sample.tsv", "test")


def test_a_digest_beside_no_archive_is_that_of_the_one_which_is_brought(project: Path) -> None:
    pets(project, sha256="0" * 64)
    assert plan(archive="pets.zip").settings("download", job())["sha256"] == "0" * 64
    assert plan(archive="pets.zip", sha256="1" * 64).settings("download", job())["sha256"] == "1" * 64
    with pytest.raises(ConfigError, match="sha256: config is not a file and has none"):
        plan(archive="config")
    with pytest.raises(ConfigError, match="sha256: it is the digest of `archive`, which is missing"):
        plan(archive=None, sha256="1" * 64)


LABELLED = {"train": "*", "image": "image", "label": "label"}
WRONG_LAYOUTS = {
    "training photos without labels": (
        {"idx": {"train": {"images": "a"}, "test": {"images": "b"}}},
        "idx.train: labels is missing",
    ),
    "no label bytes": ({"cifar": {"train": ["a"], "test": ["b"]}}, "cifar: label_bytes is missing"),
    "neither a test nor a held-out part": ({"tfrecord": LABELLED}, "tfrecord: give either test or holdout"),
    "a test and a held-out part": (
        {"tfrecord": {**LABELLED, "test": "*", "holdout": 0.2, "seed": 0}},
        "tfrecord: give either test or holdout",
    ),
    "a held-out part without a seed": (
        {"tfrecord": {**LABELLED, "holdout": 0.2}},
        "tfrecord: 'seed' is a dependency of 'holdout'",
    ),
    "names without a label": (
        {"names": {"train": "train/{id}", "test": "test/{id}"}},
        "names.train: `label` is missing",
    ),
    "names of one test photo": (
        {"names": {"train": "train/{label}/{id}", "test": "test/1.jpg"}},
        "names.test: 'test/1.jpg' does not match '{.+}'",
    ),
    "names with a test and a held-out part": (
        {"names": {"train": "{label}/{id}", "test": "test/{id}", "holdout": 0.2, "seed": 0}},
        "names: give either test or holdout",
    ),
    "a side of no pixels": (
        {"tfrecord": {**LABELLED, "test": "*", "shape": [0, 28]}},
        "tfrecord.shape.0: 0 is less than the minimum of 1",
    ),
}


@pytest.mark.parametrize(("facts", "message"), WRONG_LAYOUTS.values(), ids=WRONG_LAYOUTS)
def test_a_wrong_layout_is_refused_in_one_line(project: Path, facts: dict[str, Any], message: str) -> None:
    (project / "config/competitions/pets.yaml").write_text(yaml.safe_dump({"archive": "pets.zip", **facts}))
    with pytest.raises(ConfigError) as refused:
        plan()
    assert str(refused.value) == f"podium: config/competitions/pets.yaml: {message}"


def test_the_command_line_wins_over_the_competition_which_wins_over_the_config(project: Path) -> None:
    pets(project, archive="pets.zip", run=["cnn"], defaults={"folds": 3})
    models = [f"cnn/seed0-fold{fold}/model.keras" for fold in range(3)]
    names = ["cnn/submission.csv", "cnn/curves.png", *models, "leaderboard.csv"]
    assert plan().targets == [f"results/pets/{name}" for name in names]
    assert plan().folds(job()) == "data/pets/folds3.csv"
    assert plan(run=["linear"]).targets[0] == "results/pets/linear/submission.csv"
    changed = {"defaults": {**PLANNED["defaults"], "folds": 4}}
    assert plan(run=["linear"], **changed).folds(job()) == "data/pets/folds4.csv"


@pytest.mark.usefixtures("project")
def test_a_default_of_the_command_line_that_all_experiments_override_is_answered_by_what_to_write() -> None:
    defaults = {**PLANNED["defaults"], "size": 192}
    with pytest.raises(ConfigError) as refused:
        plan(run=["quick"], defaults=defaults)
    said = "podium: --config: defaults.size: no effect, since 'quick' sets 224 itself: write "
    assert str(refused.value) == f"{said}--config 'experiments={{quick: {{size: 192}}}}'"
    defaults["train"] = {**PLANNED["defaults"]["train"], "network": "cnn"}
    size = plan(run=["cnn"], defaults=defaults)
    assert size.settings("train", job(experiment="cnn"))["options"]["size"] == 192


PICNIC = {"sample": "sample.tsv", "zip": {"file": "{day:%d-%m-%y}_{attempt}.tsv", "attempts": 3}}


def handed_in(project: Path, zipped: dict[str, Any] | None = None, **given: Any) -> Plan:
    """The plan of a competition that wants a zip, with more about it in its own file or from the command line."""
    block = {**PICNIC, "zip": {**PICNIC["zip"], **(zipped or {})}}
    pets(project, archive="pets.zip", submission=block)
    return plan(**given)


def test_a_zip_is_named_by_the_team_and_its_file_by_day_and_attempt(project: Path) -> None:
    found = handed_in(project, team="The Cats", day="2019-03-13", attempt=2)
    assert found.targets[0] == "results/pets/linear/The Cats.zip"
    settings = found.settings("submit", job(submission="The Cats.zip"))
    assert settings["inside"] == "13-03-19_2.tsv"
    with pytest.raises(ConfigError, match=r"submission\.tsv: the submission of pets is The Cats\.zip"):
        found.settings("submit", job(submission="submission.tsv"))
    # What stands in the competition's file counts too, an unquoted day as well, and the command line wins.
    own = {"team": "cats", "day": yaml.safe_load("2019-03-13"), "attempt": 1}
    assert handed_in(project, own).targets[0] == "results/pets/linear/cats.zip"
    later = handed_in(project, own, day=yaml.safe_load("2019-04-01"), attempt=3)
    assert later.settings("submit", job(submission="cats.zip"))["inside"] == "01-04-19_3.tsv"


def test_without_a_day_the_submission_stands_alone(project: Path) -> None:
    for found in (handed_in(project), handed_in(project, {"team": "cats"}), handed_in(project, team="cats")):
        assert found.targets[0] == "results/pets/linear/submission.tsv"
        assert found.settings("submit", job(submission="submission.tsv"))["inside"] is None


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"day": "2019-03-13", "attempt": 1}, "team is missing: add --config team=NAME day=YYYY-MM-DD attempt=NUMBER"),
        ({"team": "cats", "attempt": 1}, "day is missing"),
        ({"team": "cats", "day": "2019-03-13"}, "attempt is missing"),
        ({"team": "cats", "day": "2019-03-13", "attempt": 4}, "attempt: 4 is more than the 3 a day that config/"),
        ({"team": "cats", "day": "2019-03-13", "attempt": 0}, "attempt: 0 is less than the minimum of 1"),
        ({"team": "cats", "day": "2019-03-13", "attempt": "1"}, "attempt: '1' is not of type integer"),
        ({"team": "cats", "day": "2019-02-29", "attempt": 1}, "day: '2019-02-29' is not a day such as 2019-03-13"),
        ({"team": "cats", "day": "13-03-19", "attempt": 1}, "day: '13-03-19' is not a day such as 2019-03-13"),
        ({"team": "cats", "day": 20190313, "attempt": 1}, "day: 20190313 is not of type string or date"),
        ({"team": "a/b", "day": "2019-03-13", "attempt": 1}, "team: 'a/b' does not match"),
        ({"team": "..", "day": "2019-03-13", "attempt": 1}, "team: '..' does not match"),
    ],
)
def test_a_zip_that_cannot_be_named_is_refused_in_one_line(project: Path, given: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError) as refused:
        handed_in(project, **given)
    assert message in str(refused.value)
    assert "\n" not in str(refused.value)


def test_a_zip_s_file_takes_day_and_attempt_only(project: Path) -> None:
    given = {"team": "cats", "day": "2019-03-13", "attempt": 1}
    with pytest.raises(
        ConfigError, match=r"submission\.zip\.file: '\{date\}\.tsv' must use only \{day\} and \{attempt\}"
    ):
        handed_in(project, {"file": "{date}.tsv"}, **given)
    pets(project, archive="pets.zip")
    for some in (given, {"team": "cats"}, {"attempt": 1}):
        with pytest.raises(
            ConfigError, match=r"pets\.yaml: submission\.zip is missing: this competition does not use (t|a)"
        ):
            plan(**some)
