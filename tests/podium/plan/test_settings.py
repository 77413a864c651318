import copy
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from conftest import ROOT
from hypothesis import given
from hypothesis import settings as hypothesis
from hypothesis import strategies as st

from podium.plan.settings import ConfigError, check, check_complete, defaults, instead, merge, read

CONFIG = yaml.safe_load((ROOT / "config/config.yaml").read_text())
COMPETITION = yaml.safe_load((ROOT / "config/competitions/digits.yaml").read_text())
KEYS = st.sampled_from("abc")
TREES = st.dictionaries(KEYS, st.recursive(st.integers() | st.lists(st.integers()), lambda t: st.dictionaries(KEYS, t)))


def changed(settings: dict[str, Any], path: str, value: Any) -> dict[str, Any]:
    settings = copy.deepcopy(settings)
    *above, last = path.split(".")
    place = settings
    for key in above:
        place = place[key]
    place[last] = value
    return settings


@hypothesis(max_examples=100, deadline=None)
@given(below=TREES, above=TREES)
def test_merging_lays_one_over_the_other_and_changes_neither(below: dict[str, Any], above: dict[str, Any]) -> None:
    before = copy.deepcopy((below, above))
    merged = merge(below, above)
    assert (below, above) == before
    assert list(merged) == [*below, *(key for key in above if key not in below)]
    for key, found in merged.items():
        if key not in above:
            assert found == below[key]
        elif isinstance(above[key], dict) and isinstance(below.get(key), dict):
            assert found == merge(below[key], above[key])
        else:
            assert found == above[key]
    assert merge(below, {}) == below
    assert merge({}, above) == above
    assert merge(merged, above) == merged


def test_mappings_merge_and_lists_replace() -> None:
    below = {"train": {"epochs": 4, "views": ["plain", "flip"]}, "size": 8}
    above = {"train": {"views": ["zoom"]}, "size": None}
    assert merge(below, above) == {"train": {"epochs": 4, "views": ["zoom"]}, "size": None}


def test_a_yaml_file_is_read_and_a_broken_one_is_named_with_the_line(tmp_path: Path) -> None:
    (tmp_path / "good.yaml").write_text("a: {b: [1, crème]}", encoding="utf-8")
    assert read(tmp_path / "good.yaml") == {"a": {"b": [1, "crème"]}}
    (tmp_path / "bad.yaml").write_text("a: 1\nb: [1,\n")
    with pytest.raises(ConfigError, match=r"bad\.yaml: .*line 3") as refused:
        read(tmp_path / "bad.yaml")
    assert "\n" not in str(refused.value)


def test_a_key_that_stands_there_twice_is_named(tmp_path: Path) -> None:
    (tmp_path / "twice.yaml").write_text(
        "a: {<<: &more {b: 1}, b: 2}\nsubmission: {}\nmetric: accuracy\nsubmission: {c: 1}\n"
    )
    with pytest.raises(ConfigError, match=r"twice\.yaml: 'submission' occurs twice .*line 4"):
        read(tmp_path / "twice.yaml")
    (tmp_path / "once.yaml").write_text("a: {<<: &more {b: 1}, b: 2}\nd: *more\n")
    assert read(tmp_path / "once.yaml") == {"a": {"b": 2}, "d": {"b": 1}}


def test_a_config_file_that_is_not_utf_8_is_named(tmp_path: Path) -> None:
    (tmp_path / "latin.yaml").write_bytes("a: crème".encode("latin-1"))
    with pytest.raises(ConfigError, match=r"latin\.yaml"):
        read(tmp_path / "latin.yaml")


@pytest.mark.parametrize("path", sorted((ROOT / "config/competitions").glob("*.yaml")), ids=lambda path: path.stem)
def test_the_config_files_that_come_with_podium_are_valid(path: Path) -> None:
    check(read(path), "competition", path.name)
    check(CONFIG, "config", "config.yaml")
    check_complete(CONFIG["defaults"], "experiment", "defaults")


@pytest.mark.parametrize(
    "key, value, message",
    [
        ("defaults.sise", 3, "defaults: unknown key 'sise' (did you mean 'size'?)"),
        ("experimens", {}, "unknown key 'experimens' (did you mean 'experiments'?)"),
        (
            "experiments.quick.train.cnn",
            {"zzz": 1},
            "experiments.quick.train.cnn: unknown key 'zzz' (there are: augment",
        ),
        ("defaults.size", "224", "defaults.size: '224' is not of type integer"),
        ("defaults.size", 4, "defaults.size: 4 is less than the minimum of 8"),
        ("defaults.folds", 1, "defaults.folds: 1 is not allowed"),
        ("defaults.folds", True, "defaults.folds: True is not of type integer"),
        (
            "defaults.train.cnn.learning_rate",
            "1e-3",
            "defaults.train.cnn.learning_rate: '1e-3' is not of type number (",
        ),
        (
            "defaults.train.cnn.learning_rate",
            0,
            "defaults.train.cnn.learning_rate: 0 is less than or equal",
        ),
        ("defaults.train.cnn.augment.flip", 1, "defaults.train.cnn.augment.flip: 1 is not of type boolean"),
        (
            "defaults.train.network",
            "resnet",
            "defaults.train.network: 'resnet' is not one of ['head', 'finetune', 'unet', 'deeplab', 'small_unet',",
        ),
        ("defaults.predict.views", ["crop-1"], "defaults.predict.views.0: 'crop-1' is not one of"),
        ("defaults.train.head.views", ["crop-0"], "defaults.train.head.views.0: 'crop-0' does not match"),
        ("defaults.predict.views", ["plain"] * 2, "defaults.predict.views: ['plain', 'plain'] has non-unique elements"),
        ("defaults.train.head.views", ["jpeg-96"], "defaults.train.head.views.0: 'jpeg-96' does not match"),
        (
            "defaults.train.mlp.augment.corruptions",
            ["plain", "noise"],
            "defaults.train.mlp.augment.corruptions.1: 'noise' does not match",
        ),
        ("experiments", {"a/b": {}}, "experiments: 'a/b' does not match"),
        ("run", [], "run: [] should be non-empty"),
        ("index", None, "index: None is not of type object"),
    ],
)
def test_a_wrong_setting_is_named_with_its_place(key: str, value: Any, message: str) -> None:
    with pytest.raises(ConfigError, match=f"^podium: config.yaml: {re.escape(message)}") as refused:
        check(changed(CONFIG, key, value), "config", "config.yaml")
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    "change, message",
    [
        ({"sha256": "abc"}, "sha256: 'abc' does not match"),
        ({"folders": {"path": "", "holdout": 0.2, "seed": 0}}, "give either tables or folders"),
        ({"tables": {"train": COMPETITION["tables"]["train"]}}, "tables: test is missing"),
        ({"task": "detection"}, "task: 'detection' is not one of ['classification', "),
        ({"experiments": {}}, "unknown key 'experiments'"),
        ({"defaults": {"folds": 101}}, "defaults.folds: 101 is greater than the maximum of 100"),
        ({"archive": 3}, "archive: 3 is not of type string or object or null"),
    ],
)
def test_a_wrong_fact_of_a_competition_is_named_with_its_place(change: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=f"^podium: a.yaml: {re.escape(message)}"):
        check({**COMPETITION, **change}, "competition", "a.yaml")


def test_an_archive_has_tables_or_folders() -> None:
    with pytest.raises(ConfigError, match="give either tables or folders"):
        check({"archive": "a.zip"}, "competition", "a.yaml")


@pytest.mark.parametrize("key", ["competition", "defaults", "experiments", "run"])
def test_a_key_that_the_config_lacks_is_named(key: str) -> None:
    with pytest.raises(ConfigError, match=f"config.yaml: {key} is missing"):
        check({name: value for name, value in CONFIG.items() if name != key}, "config", "config.yaml")


@pytest.mark.parametrize("key", ["size", "train", "train.cnn.width", "train.head.penalties", "predict.views"])
def test_an_experiment_lacks_nothing(key: str) -> None:
    settings = copy.deepcopy(CONFIG["defaults"])
    *above, last = key.split(".")
    place = settings
    for step in above:
        place = place[step]
    del place[last]
    with pytest.raises(ConfigError, match=f"quick: {key} is missing"):
        check_complete(settings, "experiment", "quick")


def test_a_competition_may_leave_out_what_has_a_default() -> None:
    found = merge(defaults("competition"), {"tables": COMPETITION["tables"]})
    assert (found["metric"], found["submission"]["sample"], found["sha256"]) == (None, None, None)
    assert found["tables"] == COMPETITION["tables"]


def test_a_close_name_is_suggested_and_all_are_listed_where_none_is_close() -> None:
    assert instead("quik", ["quick", "slow"]) == " (did you mean 'quick'?)"
    assert instead("zzz", ["slow", "quick"]) == " (there are: quick, slow)"
