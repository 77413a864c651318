"""Which scores still hold with the settings of today."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from conftest import job, pets, plan

from podium.plan.plan import Plan
from podium.predictions import history

pytestmark = pytest.mark.usefixtures("project")


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


def test_a_score_by_an_own_metric_fits_as_long_as_its_file_says_the_same(project: Path) -> None:
    own = project / "config/competitions/mine.py"
    own.write_text("def score(truth, answers, probabilities):\n    return (truth == answers).mean()\n")
    pets(project, archive="pets.zip", metric="mine.py")
    scored(project, "cnn", plan())
    assert plan().latest("pets", "cnn")
    own.write_text(own.read_text().replace("==", "!="))
    assert not plan().latest("pets", "cnn")
