"""What each rule is given: its settings, its files and what it may use of the machine."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from conftest import PLANNED, ROOT, TABLES, job, pets, plan

from podium import machine
from podium.plan.fingerprint import fingerprint
from podium.plan.plan import Plan
from podium.plan.settings import ConfigError
from podium.predictions import history

pytestmark = pytest.mark.usefixtures("project")


@pytest.mark.parametrize("name", [path.stem for path in (ROOT / "config/competitions").glob("*.yaml")])
def test_the_competitions_of_the_repository_are_whole(project: Path, name: str) -> None:
    one = plan(competition=name, archive="pets.zip")
    facts = yaml.safe_load((project / f"config/competitions/{name}.yaml").read_text())
    ((layout, spec),) = one.settings("index", job(competition=name))["layout"].items()
    assert facts[layout] == spec
    assert one.settings("pack", job(competition=name, part="train-0"))["layout"] == {layout: spec}
    for rule in ("index", "pack"):
        assert one.code(rule, job(competition=name)) == fingerprint(rule, (f"podium.archives.layouts.{layout}",))


def test_a_labelled_validation_part_of_any_layout_judges(project: Path) -> None:
    idx = {split: {"images": split, "labels": split} for split in ("train", "validation", "test")}
    (project / "config/competitions/pets.yaml").write_text(yaml.safe_dump({"archive": "pets.zip", "idx": idx}))
    assert fits(plan(with_folds(0))) == ["seed0-all"]
    assert plan(with_folds(0)).settings("predict", job(fit="seed0-all"))["splits"] == ["validation", "test"]
    del idx["validation"]
    (project / "config/competitions/pets.yaml").write_text(yaml.safe_dump({"archive": "pets.zip", "idx": idx}))
    assert fits(plan(with_folds(0))) == ["seed0-all", "seed0-fold0"]


def test_the_submission_takes_the_suffix_of_the_sample(project: Path) -> None:
    pets(project, archive="pets.zip", submission={"sample": "sample.tsv"})
    assert plan().targets[0] == "results/pets/linear/submission.tsv"
    with pytest.raises(ConfigError, match=r"the submission of pets is submission\.tsv"):
        plan().settings("submit", job(submission="submission.csv"))


def test_the_form_reaches_what_is_asked_alone(project: Path) -> None:
    pets(project, archive="pets.zip", submission={"form": "top", "top": 3, "separator": "|"})
    settings = plan().settings("ask", job())
    assert (settings["form"], settings["top"], settings["separator"]) == ("top", 3, "|")
    before = plan().settings("index", job())
    pets(project, archive="pets.zip")
    assert plan().settings("index", job()) == before
    assert plan().settings("ask", job())["form"] == "labels"
    assert plan().settings("submit", job(submission="submission.csv")) == {"inside": None}


def test_only_what_is_on_kaggle_can_be_sent(project: Path) -> None:
    assert plan().sent == ["results/pets/linear/sent.csv"]
    with pytest.raises(ConfigError, match=r"pets\.yaml: archive: only to a kaggle:NAME can anything be sent"):
        plan().to_send(job())
    for facts, given in [({"archive": "kaggle:cats"}, {"archive": "pets.zip"}), ({}, {"archive": "kaggle:cats"})]:
        pets(project, **facts)
        assert plan(**given).to_send(job(experiment="mix")) == "results/pets/mix/submission.csv"
        assert plan(**given).settings("upload", job()) == {"competition": "cats", "experiment": "linear"}


def test_an_archive_on_kaggle_is_no_file(project: Path) -> None:
    pets(project, archive="kaggle:cats")
    assert plan().archive_file("pets") == []
    assert plan().archive_state("pets") == ""


def test_an_archive_from_the_command_line_leaves_the_digest_of_another_behind(project: Path) -> None:
    pets(project, archive="https://example.org/a.zip", sha256="0" * 64)
    there = {"archive": "https://example.org/a.zip", "sha256": "0" * 64, "files": None}
    assert plan().settings("download", job()) == there
    here = {"archive": "pets.zip", "sha256": None, "files": None}
    assert plan(archive="pets.zip").settings("download", job()) == here


def test_an_archive_of_several_files_is_given_by_their_names(project: Path) -> None:
    files = {name: {"url": f"https://example.org/{name}", "sha256": "0" * 64} for name in ("a.gz", "b.gz")}
    pets(project, archive=files)
    assert plan().settings("download", job()) == {"archive": None, "sha256": None, "files": files}
    assert plan().archive_file("pets") == []
    assert plan().archive_state("pets") == ""
    assert plan(archive="pets.zip").settings("download", job())["files"] is None


JUDGED = ("validation", "test")


def without_validation(project: Path) -> None:
    tables = {split: table for split, table in TABLES.items() if split != "validation"}
    (project / "config/competitions/pets.yaml").write_text(yaml.safe_dump({"tables": tables, "archive": "pets.zip"}))


def fits(one: Plan, experiment: str = "linear") -> list[str]:
    """The fits of an experiment, by the names of their folders."""
    return [path.split("/")[3] for path in one.fits(job(experiment=experiment))]


def with_folds(count: int, *seeds: int) -> Callable[[dict[str, Any]], object]:
    def change(config: dict[str, Any]) -> None:
        config["experiments"]["linear"]["folds"] = count
        config["defaults"]["train"]["seeds"] = list(seeds) or [0]

    return change


def test_each_fold_is_left_out_by_one_fit_of_each_seed() -> None:
    assert plan(with_folds(2)).fits(job()) == [
        f"results/pets/linear/seed0-fold{fold}/predictions.csv" for fold in range(2)
    ]
    assert fits(plan(with_folds(2, 7, 3))) == ["seed7-fold0", "seed7-fold1", "seed3-fold0", "seed3-fold1"]
    settings = plan(with_folds(2, 7, 3)).settings("train", job(fit="seed3-fold1"))
    assert (settings["seed"], settings["fold"], settings["options"]["backbone"]) == (3, 1, "efficientnet_lite0")
    predicted = plan(with_folds(2)).settings("predict", job(fit="seed3-fold1"))
    assert (predicted["fold"], predicted["splits"]) == (1, ["train", "validation", "test"])
    assert plan(with_folds(2, 7, 3)).settings("evaluate", job())["seeds"] == [7, 3]


def test_without_folds_one_fit_of_all_photos_predicts_the_others() -> None:
    one = plan(with_folds(0))
    assert fits(one) == ["seed0-all"]
    assert fits(plan(with_folds(0, 4, 5))) == ["seed4-all", "seed5-all"]
    assert one.settings("train", job(fit="seed0-all"))["fold"] is None
    predicted = one.settings("predict", job(fit="seed0-all"))
    assert (predicted["fold"], predicted["splits"]) == (None, ["validation", "test"])
    files = one.photos("predict", job(fit="seed0-all"))
    assert files == embeddings(*(f"plain+zoom-flip/{split}-0" for split in JUDGED))
    assert one.folds(job()) == "data/pets/folds5.csv"


def test_without_folds_and_without_a_validation_table_a_fold_is_held_out_beside(project: Path) -> None:
    without_validation(project)
    one = plan(with_folds(0))
    assert fits(one) == ["seed0-all", "seed0-fold0"]
    assert fits(plan(with_folds(0, 1, 2))) == ["seed1-all", "seed1-fold0", "seed2-all", "seed2-fold0"]
    assert one.settings("predict", job(fit="seed0-all"))["splits"] == ["test"]
    held_out = one.settings("predict", job(fit="seed0-fold0"))
    assert (held_out["fold"], held_out["splits"]) == (0, ["train"])
    assert one.photos("predict", job(fit="seed0-fold0")) == embeddings("plain+zoom-flip+crop-1+crop-2/train-0")
    assert one.settings("train", job(fit="seed0-fold0"))["fold"] == 0
    assert fits(plan(with_folds(3))) == ["seed0-fold0", "seed0-fold1", "seed0-fold2"]


def labelled_test(project: Path) -> None:
    """Makes `pets` a competition without a validation table, whose test photos have labels."""
    idx = {split: {"images": split, "labels": split} for split in ("train", "test")}
    (project / "config/competitions/pets.yaml").write_text(yaml.safe_dump({"archive": "pets.zip", "idx": idx}))


def not_held_out(count: int, *seeds: int) -> Callable[[dict[str, Any]], object]:
    def change(config: dict[str, Any]) -> None:
        with_folds(count, *seeds)(config)
        config["defaults"]["held_out"] = False

    return change


def test_nothing_is_held_out_beside_where_the_test_photos_say_the_score(project: Path) -> None:
    assert fits(plan(not_held_out(0))) == fits(plan(with_folds(0))) == ["seed0-all"]
    assert plan(not_held_out(0)).settings("robustness", job())["split"] == "validation"
    labelled_test(project)
    assert fits(plan(with_folds(0, 1, 2))) == ["seed1-all", "seed1-fold0", "seed2-all", "seed2-fold0"]
    one = plan(not_held_out(0, 1, 2))
    assert fits(one) == ["seed1-all", "seed2-all"]
    assert one.settings("predict", job(fit="seed1-all"))["splits"] == ["test"]
    assert one.models(job()) == [f"results/pets/linear/seed{seed}-all/fitted.keras" for seed in (1, 2)]
    assert one.judging(job()) == ["data/pets/224px/test-0.npy"]
    asked = one.settings("robustness", job())
    assert (asked["split"], asked["left_out"]) == ("test", [-1, -1])
    assert fits(plan(not_held_out(2))) == ["seed0-fold0", "seed0-fold1"]
    assert plan(not_held_out(2)).settings("robustness", job())["split"] == "train"


def test_a_pupil_reads_what_its_teachers_fits_predicted_who_left_out_the_same(project: Path) -> None:
    def change(config: dict[str, Any], folds: int = 0) -> None:
        config["run"] = ["pupil"]
        config["defaults"]["folds"] = folds
        config["experiments"] = {
            "pupil": {"train": {"network": "cnn", "teachers": ["linear", "cnn"], "sharpness": 3.0}},
            "linear": {"train": {"seeds": [1, 2]}},
            "cnn": {"train": {"network": "cnn"}},
        }

    def files(one: Plan, fit: str) -> tuple[list[str], list[str]]:
        wildcards = job(experiment="pupil", fit=fit)
        found = [path.removeprefix("results/pets/") for path in one.teachers(wildcards)]
        return found, [Path(path).stem for path in one.photos("train", wildcards)]

    def predictions(fit: str) -> list[str]:
        return [f"{name}-{fit}/predictions.csv" for name in ("linear/seed1", "linear/seed2", "cnn/seed0")]

    one = plan(change)
    assert files(one, "seed0-all") == (predictions("all"), ["train-0", "validation-0", "test-0"])
    folds = plan(lambda config: change(config, 4))
    assert files(folds, "seed0-fold3") == (predictions("fold3"), ["train-0", "validation-0", "test-0"])
    assert one.settings("train", job(experiment="pupil"))["sharpness"] == 3
    assert one.teachers(job(experiment="cnn")) == []
    assert one.photos("train", job(experiment="cnn")) == ["data/pets/224px/train-0.npy"]
    without_validation(project)
    one = plan(change)
    assert files(one, "seed0-all") == (predictions("all"), ["train-0", "test-0"])
    assert files(one, "seed0-fold0") == (predictions("fold0"), ["train-0"])  # only the fold left out was predicted


def test_a_fit_on_pixels_reads_the_photos_that_it_is_measured_on(project: Path) -> None:
    """Those of its fold are among the training photos; with none left out it is the validation table."""

    def parts(one: Plan, experiment: str, fit: str) -> list[str]:
        return [Path(path).stem for path in one.photos("train", job(experiment=experiment, fit=fit))]

    one = plan(lambda config: config["index"].update(shards=2))
    both = ["train-0", "train-1", "validation-0", "validation-1"]
    assert parts(one, "finetune", "seed0-all") == parts(one, "cnn", "seed0-all") == both
    assert parts(one, "cnn", "seed0-fold1") == parts(one, "linear", "seed0-all") == ["train-0", "train-1"]
    without_validation(project)
    assert parts(plan(), "finetune", "seed0-all") == parts(plan(), "finetune", "seed0-fold0") == ["train-0"]


def test_robustness_takes_the_fits_and_the_photos_that_judge(project: Path) -> None:
    def asked(one: Plan) -> tuple[list[str], list[str], list[int]]:
        models = [path.removeprefix("results/pets/linear/") for path in one.models(job())]
        parts = [Path(path).stem for path in one.judging(job())]
        return models, parts, one.settings("robustness", job())["left_out"]

    assert asked(plan(with_folds(0))) == (["seed0-all/fitted.keras"], ["validation-0"], [-1])
    folds = [f"seed0-fold{fold}/fitted.keras" for fold in range(2)]
    assert asked(plan(with_folds(2))) == (folds, ["validation-0"], [0, 1])
    without_validation(project)
    assert asked(plan(with_folds(0))) == (["seed0-fold0/fitted.keras"], ["train-0"], [0])
    assert asked(plan(with_folds(2))) == (folds, ["train-0"], [0, 1])
    with pytest.raises(ConfigError, match="mix: an ensemble has no model"):
        plan(ensemble("cnn", "linear")).models(job(experiment="mix"))


def test_the_curves_are_those_of_all_fits_and_an_ensemble_has_none(project: Path) -> None:
    without_validation(project)
    one = plan(with_folds(0, 4, 5))
    names = ["seed4-all", "seed4-fold0", "seed5-all", "seed5-fold0"]
    assert one.histories(job()) == [f"results/pets/linear/{name}/history.csv" for name in names]
    assert one.settings("curves", job()) == {"names": names, "title": "linear on pets"}
    with pytest.raises(ConfigError, match="mix: an ensemble has no learning curves; ask for one of its members"):
        plan(ensemble("cnn", "linear")).histories(job(experiment="mix"))


def ensemble(*members: str) -> Callable[[dict[str, Any]], object]:
    return lambda config: config.update(run=["mix"], ensembles={"mix": list(members), "other.one": ["linear", "cnn"]})


def test_an_ensemble_has_the_outputs_of_an_experiment_and_the_predictions_of_its_members() -> None:
    one = plan(ensemble("cnn", "linear"))
    assert [path for path in one.targets if not path.endswith("/model.keras")] == [
        "results/pets/mix/submission.csv",
        "results/pets/leaderboard.csv",
    ]
    assert one.members(job(experiment="mix")) == [f"results/pets/{name}/predictions.csv" for name in ("cnn", "linear")]
    assert one.settings("blend", job(experiment="mix")) == {"names": ["cnn", "linear"]}
    assert one.fits(job(experiment="mix")) == []
    assert one.settings("evaluate", job(experiment="mix"))["seeds"] == []
    assert one.one_view(job(experiment="mix")) == []
    assert one.settings("calibrate", job(experiment="mix")) == {"seeds": [], "views": []}


def test_the_models_of_everything_that_is_run_are_built_finished(project: Path) -> None:
    """Each fit's, the members' of an ensemble too, each of them once."""
    without_validation(project)

    def change(config: dict[str, Any]) -> None:
        with_folds(0, 1, 2)(config)
        config["experiments"]["cnn"] = {"folds": 2, "train": {"network": "cnn", "seeds": [0]}}
        config["experiments"]["other"] = {"folds": 2, "train": {"network": "mlp", "seeds": [0]}}
        config |= {"run": ["linear", "mix", "cnn"], "ensembles": {"mix": ["cnn", "other"]}}

    one = plan(change)
    models = [path.removeprefix("results/pets/") for path in one.targets if path.endswith("/model.keras")]
    fits = {"linear": ["seed1-all", "seed1-fold0", "seed2-all", "seed2-fold0"], "cnn": ["seed0-fold0", "seed0-fold1"]}
    fits["other"] = fits["cnn"]
    assert models == [f"{name}/{fit}/model.keras" for name in ("linear", "cnn", "other") for fit in fits[name]]
    assert one.targets[-1] == "results/pets/leaderboard.csv"
    assert one.one_view(job()) == [f"results/pets/linear/{fit}/one_view.csv" for fit in fits["linear"]]
    expected = {"seeds": [1, 2], "views": ["plain", "zoom-flip"]}
    assert one.settings("calibrate", job()) == expected


def test_the_patterns_tell_ensembles_from_everything_else() -> None:
    one, none = plan(ensemble("cnn", "linear")), plan(lambda config: config.update(ensembles={}))
    for name, is_ensemble in [("mix", True), ("other.one", True), ("mixed", False), ("other-one", False), ("m", False)]:
        path = f"{name}/pooled.csv"
        assert bool(re.fullmatch(f"({one.ensembles})/pooled.csv", path)) == is_ensemble
        assert bool(re.fullmatch(f"({one.experiments})/pooled.csv", path)) != is_ensemble
        assert not re.fullmatch(f"({none.ensembles})/pooled.csv", path)
        assert re.fullmatch(f"({none.experiments})/pooled.csv", path)


def test_members_of_one_yardstick_only(project: Path) -> None:
    """A validation table measures all alike; without one, folds of another number hold other photos."""

    def mixed(config: dict[str, Any]) -> None:
        ensemble("linear", "finetune")(config)
        config["experiments"]["finetune"]["folds"] = 0

    assert plan(mixed).members(job(experiment="mix"))
    without_validation(project)
    assert plan(ensemble("linear", "cnn")).members(job(experiment="mix"))
    with pytest.raises(ConfigError) as refused:
        plan(mixed)
    message = "ensembles.mix: without a validation table, members must have the same folds (linear 5, finetune 0)"
    assert message in str(refused.value)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(("threads", "expected"), [(None, 8), (3, 3), (64, 8)])
def test_the_device_bounds_the_threads_and_large_networks_take_them_all(threads: int | None, expected: int) -> None:
    one = plan(lambda config: config["device"].update(threads=threads))
    assert one.cores(8) == one.threads(job(experiment="finetune"), 8) == expected
    assert one.threads(job(experiment="linear"), 8) == one.threads(job(experiment="cnn"), 8) == 1
    assert one.cores(None) == one.threads(job(experiment="finetune"), None) == 1


@pytest.mark.parametrize(
    ("folds", "seeds", "cores", "threads", "expected"),
    [
        (0, [0], 8, None, 8),
        (0, [0, 1, 2], 8, None, 8),
        (4, [0], 8, None, 2),
        (4, [0, 1, 2], 8, None, 2),
        (0, [0], 8, 3, 3),
        (4, [0], 8, 1, 1),
        (4, [0], 64, 3, 3),
        (0, [0], None, None, 1),
    ],
)
def test_small_networks_share_the_cores_among_their_fits(
    folds: int, seeds: list[int], cores: int | None, threads: int | None, expected: int
) -> None:
    def change(config: dict[str, Any]) -> None:
        with_folds(folds, *seeds)(config)
        config["device"]["threads"] = threads

    assert plan(change).threads(job(), cores) == expected


def on_gpus(monkeypatch: pytest.MonkeyPatch, here: int, free: int | None, a_fit: int = 1) -> Plan:
    """The plan of a machine that shows so many GPUs, of which Snakemake may use so many, for fits on so many."""
    card = machine.Card("0", "GPU-0", "Card", (8, 0))
    monkeypatch.setattr(machine, "cards", lambda: (card,) * here)
    device = {**PLANNED["device"], "gpus": a_fit}
    return Plan({**PLANNED, "competition": "pets", "device": device}, {}, gpus=free)


@pytest.mark.parametrize(
    ("here", "a_fit", "trains", "predicts"),
    [(0, 1, [0, 0, 1], [0, 0, 1]), (1, 1, [0, 1, 1], [0, 1, 1]), (4, 2, [0, 2, 2], [0, 1, 1])],
    ids=["none", "one", "several"],
)
def test_what_fits_on_pixels_claims_the_gpus_that_the_machine_has(
    here: int, a_fit: int, trains: list[int], predicts: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    one = on_gpus(monkeypatch, here, None, a_fit)
    for rule, expected in [("train", trains), ("predict", predicts)]:
        assert [one.gpus(rule, job(experiment=name)) for name in ("linear", "cnn", "finetune")] == expected


@pytest.mark.parametrize(
    ("here", "free", "a_fit", "expected"),
    [
        (0, 1, 1, [1, 1, 8, 8]),
        (1, 1, 1, [1, 8, 8, 8]),
        (1, None, 1, [1, 8, 8, 8]),
        (4, 1, 1, [1, 8, 8, 8]),
        (4, 2, 1, [1, 4, 4, 4]),
        (2, 4, 1, [1, 4, 4, 4]),
        (4, 4, 2, [1, 4, 4, 4]),
        (4, 4, 1, [1, 2, 4, 2]),
        (2, 0, 1, [1, 1, 8, 8]),
    ],
)
def test_what_runs_side_by_side_on_gpus_shares_the_cores(
    here: int, free: int | None, a_fit: int, expected: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of 8 cores; `cnn` has 5 fits and `finetune` 2, of which more than one run at a time on GPUs alone."""
    one = on_gpus(monkeypatch, here, free, a_fit)
    fits = [one.threads(job(experiment=name), 8) for name in ("linear", "cnn", "finetune")]
    assert [*fits, one.gpu_cores(8)] == expected


def test_the_gpus_of_a_fit_are_a_setting_of_what_fits_on_them_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    one, two = (on_gpus(monkeypatch, 2, 2, a_fit) for a_fit in (1, 2))
    for experiment in ("cnn", "finetune"):
        wildcards = job(experiment=experiment)
        assert [each.settings("train", wildcards)["options"]["gpus"] for each in (one, two)] == [1, 2]
        assert one.settings("predict", wildcards) == two.settings("predict", wildcards)
    assert one.settings("train", job()) == two.settings("train", job())


def test_more_gpus_for_a_fit_than_can_be_had_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    for here, free, message in [
        (4, 1, "device.gpus: a fit on 2 needs --resources gpu=2 or more"),
        (1, 2, "device.gpus: 2, but this machine shows 1"),
    ]:
        with pytest.raises(ConfigError, match=message):
            on_gpus(monkeypatch, here, free, a_fit=2)
    three = on_gpus(monkeypatch, 0, None, a_fit=3)  # where steps run may be another machine
    with pytest.raises(ConfigError, match=r"^podium: experiments\.cnn\.train\.cnn\.batch: 64 photos"):
        three.settings("train", job(experiment="cnn"))


def test_a_model_may_be_built_on_the_saved_model_that_its_experiment_names_alone(project: Path) -> None:
    (project / "hub").mkdir()
    chosen = {"backbone": "saved_model", "weights": "hub"}
    one = plan(lambda config: config["experiments"]["finetune"].update(chosen))
    for rule in ("predict", "export", "robustness"):
        settings = [one.settings(rule, job(experiment=name)) for name in ("finetune", "linear", "cnn")]
        assert [each["saved_model"] for each in settings] == ["hub", None, None]
        assert one.code(rule, job(experiment="finetune")) != plan().code(rule, job(experiment="finetune"))


def test_the_memory_that_the_device_gives_is_a_limit() -> None:
    assert plan().gpu_memory == 0
    assert plan(lambda config: config["device"].update(gpu_memory=2048)).gpu_memory == 2048


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


def embeddings(*files: str) -> list[str]:
    return [f"data/pets/224px/efficientnet_lite0/{file}.npy" for file in files]


def test_each_network_reads_its_own_kind_of_files_in_the_index_s_order() -> None:
    two = plan(lambda config: config["index"].update(shards=2))
    to_train, to_predict = "plain+zoom-flip+crop-1+crop-2", "plain+zoom-flip"
    assert two.photos("train", job()) == embeddings(f"{to_train}/train-0", f"{to_train}/train-1")
    rest = [f"{to_predict}/{split}-{shard}" for split in ("validation", "test") for shard in (0, 1)]
    assert two.photos("predict", job()) == embeddings(f"{to_train}/train-0", f"{to_train}/train-1", *rest)
    pixels = [f"data/pets/224px/train-{shard}.npy" for shard in (0, 1)]
    assert two.photos("train", job(experiment="cnn")) == pixels
    embedded = plan().settings("embed", job(backbone="efficientnet_lite0", views=to_predict))
    assert embedded["views"] == ["plain", "zoom-flip"]


WEIGHTS = {
    "imagenet": ("mobilenet_v2", "imagenet", []),
    "none": ("mobilenet_v2", "none", []),
    "a file": ("mobilenet_v2", "mine.h5", ["mine.h5"]),
    "another file": ("mobilenet_v2", "more/mine.keras", ["more/mine.keras"]),
    "a folder": ("saved_model", "hub", ["hub/saved_model.pb", "hub/variables/variables.index"]),
    "a handle": ("saved_model", "kaggle:google/mobilenet-v2/tensorFlow2/1", []),
}


def test_weights_are_inputs_of_what_reads_them_and_each_have_a_folder_of_embeddings(project: Path) -> None:
    for _, _, files in WEIGHTS.values():
        for file in files:
            (project / file).parent.mkdir(parents=True, exist_ok=True)
            (project / file).write_bytes(b"")
    (project / "imagenet").mkdir()
    (project / "imagenet/cat.jpg").write_bytes(b"")
    folders = set()
    for backbone, weights, files in WEIGHTS.values():
        chosen = {"backbone": backbone, "weights": weights}
        one = plan(lambda config, chosen=chosen: config["experiments"]["linear"].update(chosen))
        folder = one.photos("train", job())[0].split("/")[3]
        folders.add(folder)
        embed, by_folder = job(backbone=folder, views="plain"), job(experiment="linear")
        assert one.settings("embed", embed).items() >= chosen.items()
        assert one.settings("train", by_folder)["options"].items() >= chosen.items()
        assert one.weights(embed) == one.weights(by_folder) == files
        assert one.weights(job(experiment="cnn")) == []
    assert len(folders) == len(WEIGHTS)
    with pytest.raises(ConfigError, match="no experiment has embeddings in a folder 'vgg16'"):
        plan().settings("embed", job(backbone="vgg16", views="plain"))


def test_weights_that_another_experiment_lacks_stop_no_one_else() -> None:
    def lacking(config: dict[str, Any]) -> None:
        config["experiments"] = {"other": {"backbone": "vgg16", "weights": "gone.h5"}, **config["experiments"]}

    assert plan(lacking).settings("embed", job(backbone="efficientnet_lite0", views="plain"))


def test_a_home_folder_is_found(monkeypatch: pytest.MonkeyPatch, project: Path) -> None:
    monkeypatch.setenv("HOME", str(project))
    (project / "mine.h5").write_bytes(b"")
    chosen = {"backbone": "vgg16", "weights": "~/mine.h5"}
    one = plan(lambda config: config["experiments"]["linear"].update(chosen))
    assert one.weights(job()) == [one.settings("train", job())["options"]["weights"]] == [str(project / "mine.h5")]


def test_code_that_a_backbone_needs_is_that_of_its_own_family() -> None:
    chosen = {"backbone": "mobilenet_v2", "weights": "none"}
    other = plan(lambda config: config["experiments"]["linear"].update(chosen))
    assert other.code("train", job()) != plan().code("train", job())
    assert other.code("predict", job()) == plan().code("predict", job())


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


def scored(project: Path, name: str, one: Plan, **changed: Any) -> None:
    """Leaves a line for what an experiment was scored with."""
    path = project / f"results/pets/{name}/scored.jsonl"
    path.parent.mkdir(parents=True, exist_ok=True)
    history.add(path, history.Scored({**one.behind("pets", name), **changed}, "photos", {}))


def test_the_leaderboard_takes_what_fits_its_settings_and_the_history_all(project: Path) -> None:
    one = plan()
    for name in ("linear", "cnn", "mlp", "record"):
        scored(project, name, one)
    scored(project, "mlp", one, size=48)
    (project / "results/pets/gone").mkdir()
    (project / "results/pets/gone/scored.jsonl").write_text((project / "results/pets/cnn/scored.jsonl").read_text())
    settings = plan().settings("leaderboard", job())
    assert settings["experiments"] == ["linear"]
    assert list(settings["others"]) == ["cnn", "mlp", "record", "gone"]  # in the order of the config
    assert [len(lines) for lines in settings["others"].values()] == [1, 2, 1, 1]
    assert settings["fitting"] == ["cnn", "record"]
    assert settings["teachers"] == {"record": ["finetune", "finetune_lite1"]}
    # Never inputs, which would schedule their jobs.
    assert one.scored(job()) == ["results/pets/linear/scored.jsonl"]


# What another experiment's figures do not depend on, and what they do.
BESIDE: dict[str, Callable[[dict[str, Any]], object]] = {
    "another network's block": lambda c: c["defaults"]["train"]["mlp"].update(epochs=2),
    "a backbone that it has not": lambda c: c["defaults"].update(backbone="efficientnet_lite1"),
    "no teachers": lambda c: c["defaults"]["train"].update(sharpness=1.0),
    "robustness": lambda c: c["defaults"]["robustness"].update(noise=[0.3]),
    "held out beside a validation table": lambda c: c["defaults"].update(held_out=False),
    "threads": lambda c: c["device"].update(threads=1),
    "shards": lambda c: c["index"].update(shards=2),
}
BEHIND: dict[str, Callable[[dict[str, Any]], object]] = {
    "its own block": lambda c: c["defaults"]["train"]["cnn"].update(epochs=2),
    "its size": lambda c: c["experiments"]["cnn"].update(size=32),
    "folds": lambda c: c["defaults"].update(folds=3),
    "seeds": lambda c: c["defaults"]["train"].update(seeds=[1]),
    "views to predict": lambda c: c["defaults"]["predict"].update(views=["plain"]),
    "the deal of the folds": lambda c: c["split"].update(seed=1),
    "precision": lambda c: c["device"].update(precision="float16"),
    "another network": lambda c: c["experiments"]["cnn"]["train"].update(network="mlp"),
}


@pytest.mark.parametrize("change", [*BESIDE.values(), *BEHIND.values()], ids=[*BESIDE, *BEHIND])
def test_a_score_fits_as_long_as_the_settings_behind_it_are_the_same(
    project: Path, change: Callable[[dict[str, Any]], object]
) -> None:
    scored(project, "cnn", plan())
    scored(project, "pair", plan(lambda config: config["ensembles"].update(pair=["cnn", "linear"])))
    fits = change in BESIDE.values()

    def both(config: dict[str, Any]) -> None:
        config["ensembles"]["pair"] = ["cnn", "linear"]
        change(config)

    assert (plan(change).latest("pets", "cnn") is not None) == fits
    if change is not BESIDE["a backbone that it has not"]:  # which the other member has
        assert (plan(both).latest("pets", "pair") is not None) == fits


def unlabelled(name: str) -> dict[str, Any]:
    """A competition of this layout whose test photos have no labels as far as its file says."""
    idx = {"train": {"images": "a", "labels": "b"}, "test": {"images": "c"}}
    tables = {split: table for split, table in TABLES.items() if split != "validation"}
    return {"archive": "pets.zip", name: {"tables": tables, "idx": idx}[name]}


@pytest.mark.parametrize("layout", ["tables", "idx"])
def test_an_experiment_that_nothing_could_judge_is_refused_in_one_line(project: Path, layout: str) -> None:
    (project / "config/competitions/pets.yaml").write_text(yaml.safe_dump(unlabelled(layout)))
    with pytest.raises(ConfigError) as refused:
        plan(not_held_out(0))
    message = "experiments.linear.held_out: false leaves no photos to judge by, since no test photo has a label"
    assert str(refused.value) == f"podium: config/config.yaml: {message}"
    assert fits(plan(not_held_out(2))) == ["seed0-fold0", "seed0-fold1"]
    assert fits(plan(with_folds(0))) == ["seed0-all", "seed0-fold0"]


TFRECORD = {"train": "*", "image": "image", "label": "label"}


@pytest.mark.parametrize(
    "layout",
    [
        {"folders": {"path": "", "holdout": 0.2, "seed": 0}},
        {"cifar": {"train": ["a"], "test": ["b"], "label_bytes": 1}},
        {"tfrecord": {**TFRECORD, "holdout": 0.2, "seed": 0}},
        {"tfrecord": {**TFRECORD, "test": "*"}},  # only the records know
    ],
)
def test_test_photos_of_other_layouts_may_judge_alone(project: Path, layout: dict[str, Any]) -> None:
    (project / "config/competitions/pets.yaml").write_text(yaml.safe_dump({"archive": "pets.zip", **layout}))
    assert fits(plan(not_held_out(0))) == ["seed0-all"]


def test_members_and_teachers_hold_out_the_same(project: Path) -> None:
    """Only where there is neither a fold nor a validation table does it matter."""

    def change(config: dict[str, Any], experiment: str = "mix", folds: int = 0) -> None:
        config["run"] = [experiment]
        config["defaults"]["folds"] = folds
        config["experiments"] = {
            "pupil": {"train": {"network": "cnn", "teachers": ["other"]}},
            "other": {"held_out": False, "train": {"network": "cnn"}},
            "usual": {"train": {"network": "cnn"}},
        }
        config["ensembles"] = {"mix": ["usual", "other"]}

    assert plan(change).members(job(experiment="mix"))
    labelled_test(project)
    wrong = {
        "mix": "ensembles.mix: without a validation table, members must have the same folds (usual 0, other 0 ",
        "pupil": "experiments.pupil.train.teachers: a teacher must have the same folds ('other' 0 ",
    }
    for name, message in wrong.items():
        assert plan(lambda config, name=name: change(config, name, folds=3))
        with pytest.raises(ConfigError) as refused:
            plan(lambda config, name=name: change(config, name))
        assert str(refused.value).startswith(f"podium: config/config.yaml: {message}")
        assert "without held_out" in str(refused.value)
        assert "\n" not in str(refused.value)
