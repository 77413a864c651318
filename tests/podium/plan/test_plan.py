"""What is built, from the config of the repository and others."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from conftest import CLASSIFICATION, ROOT, ensemble, job, pets, plan, with_folds, without_validation

from podium.plan.fingerprint import fingerprint
from podium.plan.settings import ConfigError

pytestmark = pytest.mark.usefixtures("project")


@pytest.mark.parametrize("name", [path.stem for path in (ROOT / "config/competitions").glob("*.yaml")])
def test_the_competitions_of_the_repository_are_whole(project: Path, name: str) -> None:
    one = plan(competition=name, archive="pets.zip")
    facts = yaml.safe_load((project / f"config/competitions/{name}.yaml").read_text())
    ((layout, spec),) = one.settings("index", job(competition=name))["layout"].items()
    assert facts[layout] == spec
    assert one.settings("pack", job(competition=name, part="train-0"))["layout"] == {layout: spec}
    for rule in ("index", "pack"):
        modules = (f"podium.tasks.{facts.get('task', 'classification')}",) if rule == "index" else ()
        modules += (f"podium.archives.layouts.{layout}",)
        assert one.code(rule, job(competition=name)) == fingerprint(rule, modules)


def test_the_submission_takes_the_suffix_of_the_sample(project: Path) -> None:
    pets(project, archive="pets.zip", submission={"sample": "sample.tsv"})
    assert plan().targets[0] == "results/pets/linear/submission.tsv"
    with pytest.raises(ConfigError, match=r"the submission of pets is submission\.tsv"):
        plan().settings("submit", job(submission="submission.csv"))


def test_an_ensemble_has_the_outputs_of_an_experiment_and_the_predictions_of_its_members() -> None:
    one = plan(ensemble("cnn", "linear"))
    assert [path for path in one.targets if not path.endswith("/model.keras")] == [
        "results/pets/mix/submission.csv",
        "results/pets/leaderboard.csv",
    ]
    assert one.members(job(experiment="mix")) == [f"results/pets/{name}/predictions.npy" for name in ("cnn", "linear")]
    judged = {"classification": CLASSIFICATION["classification"] | {"metric": "accuracy"}}
    assert one.settings("blend", job(experiment="mix")) == {"task": judged, "names": ["cnn", "linear"]}
    assert one.fits(job(experiment="mix")) == []
    assert one.settings("evaluate", job(experiment="mix"))["seeds"] == []
    assert one.one_view(job(experiment="mix")) == []
    assert one.settings("calibrate", job(experiment="mix")) == {"task": CLASSIFICATION, "seeds": [], "views": []}


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
    assert one.one_view(job()) == [f"results/pets/linear/{fit}/one_view.npy" for fit in fits["linear"]]
    expected = {"task": CLASSIFICATION, "seeds": [1, 2], "views": ["plain", "zoom-flip"]}
    assert one.settings("calibrate", job()) == expected


def test_the_patterns_tell_ensembles_from_everything_else() -> None:
    one, none = plan(ensemble("cnn", "linear")), plan(lambda config: config.update(ensembles={}))
    for name, is_ensemble in [("mix", True), ("other.one", True), ("mixed", False), ("other-one", False), ("m", False)]:
        path = f"{name}/pooled.csv"
        assert bool(re.fullmatch(f"({one.ensembles})/pooled.csv", path)) == is_ensemble
        assert bool(re.fullmatch(f"({one.experiments})/pooled.csv", path)) != is_ensemble
        assert not re.fullmatch(f"({none.ensembles})/pooled.csv", path)
        assert re.fullmatch(f"({none.experiments})/pooled.csv", path)


def test_weights_that_another_experiment_lacks_stop_no_one_else() -> None:
    def lacking(config: dict[str, Any]) -> None:
        config["experiments"] = {"other": {"backbone": "vgg16", "weights": "gone.h5"}, **config["experiments"]}

    assert plan(lacking).settings("embed", job(backbone="efficientnet_lite0", views="plain"))


def test_code_that_a_backbone_needs_is_that_of_its_own_family() -> None:
    chosen = {"backbone": "mobilenet_v2", "weights": "none"}
    other = plan(lambda config: config["experiments"]["linear"].update(chosen))
    assert other.code("train", job()) != plan().code("train", job())
    assert other.code("predict", job()) == plan().code("predict", job())
