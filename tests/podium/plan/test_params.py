"""The settings of each rule."""

import importlib
import inspect
from pathlib import Path

import pytest
from conftest import CLASSIFICATION, ROOT, job, pets, plan

from podium import machine
from podium.plan import params
from podium.plan.settings import ConfigError

pytestmark = pytest.mark.usefixtures("project")
SCRIPTS = {path.stem for path in (ROOT / "workflow/scripts").glob("*.py")}
RULES = sorted(SCRIPTS & {name for name, _ in inspect.getmembers(params, inspect.isfunction)})
GIVEN = {"resume", "threads"}  # what `step.run` gives a step beside them


@pytest.mark.parametrize("rule", RULES)
def test_the_settings_of_a_rule_are_what_its_step_takes(rule: str) -> None:
    wanted = inspect.signature(getattr(importlib.import_module(rule), rule)).parameters.values()
    given = job(folds="5", size="64", views="plain", submission="submission.csv")
    if rule == "embed":
        given.backbone = "efficientnet_lite0"
    assert {each.name for each in wanted if each.kind is each.KEYWORD_ONLY} - GIVEN == set(plan().settings(rule, given))


def test_the_form_reaches_what_is_asked_alone(project: Path) -> None:
    pets(project, archive="pets.zip", submission={"form": "top", "top": 3, "separator": "|"})
    settings = plan().settings("ask", job())
    assert (settings["form"], settings["top"], settings["separator"]) == ("top", 3, "|")
    before = plan().settings("index", job())
    pets(project, archive="pets.zip")
    assert plan().settings("index", job()) == before
    assert plan().settings("ask", job())["form"] == "labels"
    assert plan().settings("submit", job(submission="submission.csv")) == {"task": CLASSIFICATION, "inside": None}


def test_only_what_is_on_kaggle_can_be_sent(project: Path) -> None:
    assert plan().sent == ["results/pets/linear/sent.csv"]
    with pytest.raises(ConfigError, match=r"pets\.yaml: archive: only to a kaggle:NAME can anything be sent"):
        plan().to_send(job())
    for facts, given in [({"archive": "kaggle:cats"}, {"archive": "pets.zip"}), ({}, {"archive": "kaggle:cats"})]:
        pets(project, **facts)
        assert plan(**given).to_send(job(experiment="mix")) == "results/pets/mix/submission.csv"
        assert plan(**given).settings("upload", job()) == {"competition": "cats", "experiment": "linear"}


def test_an_archive_from_the_command_line_leaves_the_digest_of_another_behind(project: Path) -> None:
    pets(project, archive="https://example.org/a.zip", sha256="0" * 64)
    there = {"archive": "https://example.org/a.zip", "sha256": "0" * 64, "files": None, "unpack": {}}
    assert plan().settings("download", job()) == there
    here = {"archive": "pets.zip", "sha256": None, "files": None, "unpack": {}}
    assert plan(archive="pets.zip").settings("download", job()) == here


def test_what_is_unpacked_is_named_after_itself_or_as_the_competition_file_says(project: Path) -> None:
    for said, wanted in ((["a.zip"], {"a.zip": "a.zip"}), ({"a.zip": "a"}, {"a.zip": "a"})):
        pets(project, archive="pets.zip", unpack=said)
        assert plan().settings("download", job())["unpack"] == wanted


def test_an_archive_of_several_files_is_given_by_their_names(project: Path) -> None:
    files = {name: {"url": f"https://example.org/{name}", "sha256": "0" * 64} for name in ("a.gz", "b.gz")}
    pets(project, archive=files)
    assert plan().settings("download", job()) == {"archive": None, "sha256": None, "files": files, "unpack": {}}
    assert plan().archive_file("pets") == []
    assert plan().archive_state("pets") == ""
    assert plan(archive="pets.zip").settings("download", job())["files"] is None


def test_a_model_may_be_built_on_the_saved_model_that_its_experiment_names_alone(project: Path) -> None:
    (project / "hub").mkdir()
    chosen = {"backbone": "saved_model", "weights": "hub"}
    one = plan(lambda config: config["experiments"]["finetune"].update(chosen))
    for rule in ("predict", "export", "robustness"):
        settings = [one.settings(rule, job(experiment=name)) for name in ("finetune", "linear", "cnn")]
        assert [each["saved_model"] for each in settings] == ["hub", None, None]
        assert one.code(rule, job(experiment="finetune")) != plan().code(rule, job(experiment="finetune"))


def test_the_device_s_precision_reaches_the_steps_and_nothing_else_of_it_does() -> None:
    one = plan(lambda config: config["device"].update(precision="bfloat16", threads=2, gpu_memory=512))
    for experiment in ("linear", "cnn", "finetune"):
        settings = one.settings("train", job(experiment=experiment))
        assert settings["options"]["precision"] == "bfloat16"
        settings["options"]["precision"] = machine.fastest()
        assert settings == plan().settings("train", job(experiment=experiment))
    given = {"backbone": "efficientnet_lite0", "views": "plain", "part": "test-1"}
    expected = {**given, "weights": "imagenet", "views": ["plain"], "precision": "bfloat16"}
    assert one.settings("embed", job(**given)) == expected


@pytest.mark.parametrize("fastest", ["bfloat16", "float16"])
def test_auto_is_what_the_machine_is_fastest_in_when_the_plan_is_made(
    fastest: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(machine, "fastest", lambda: fastest)
    embed = job(backbone="efficientnet_lite0", views="plain")
    for experiment in ("linear", "cnn", "finetune"):
        assert plan().settings("train", job(experiment=experiment))["options"]["precision"] == fastest
    assert plan().settings("embed", embed)["precision"] == fastest
    named = plan(lambda config: config["device"].update(precision="float32"))
    assert named.settings("embed", embed)["precision"] == "float32"
