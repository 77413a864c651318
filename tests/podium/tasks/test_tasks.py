"""What holds for every task on the menu, and that no other file knows their names."""

import ast
import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from conftest import ROOT

from podium import tasks
from podium.tasks.measures import charged

SCRIPTS = ROOT / "workflow/scripts"
SETTINGS = {"classification": {}, "multilabel": {"separator": " "}}
CELLS = {"classification": ["b", "a", "c", "a", "b", "a"], "multilabel": ["b a", "a", "c", "", "a  c b", "b"]}
LABELS = ["a", "b", "c"]


@pytest.fixture(params=tasks.TASKS)
def task(request: pytest.FixtureRequest) -> tasks.Task:
    return tasks.task({request.param: SETTINGS[request.param]})


def stored(task: tasks.Task) -> list[str]:
    return [task.read(cell) for cell in CELLS[next(iter(task.spec))]]


def test_labels_come_back_from_the_index_and_targets_agree_with_the_truth(task: tasks.Task) -> None:
    index = pd.DataFrame({"label": stored(task), "split": "train"})
    assert task.taught(index) == LABELS
    truth = task.truth(index.label, LABELS)
    for label, row in zip(index.label, task.targets(truth, 3), strict=True):
        assert row.dtype == np.float32
        assert {LABELS[place] for place in np.flatnonzero(row)} == set(task.names(label))
    assert task.known(truth).all()
    assert len(task.strata(truth)) == len(truth)


def test_the_loss_is_keras_s_and_least_where_the_probabilities_are_the_targets(task: tasks.Task) -> None:
    random = np.random.default_rng(0)
    logits, targets = random.normal(size=(6, 3)).astype(np.float32), task.targets(task.truth(stored(task), LABELS), 3)
    probabilities = task.probabilities(logits)
    by_hand = charged(task.given(task.truth(stored(task), LABELS), probabilities)).mean()
    assert float(task.loss(0.0)(targets, logits)) == pytest.approx(by_hand, rel=1e-5)
    # Its gradient is the difference of the two, which the head's solver relies on.
    step = 1e-2 * random.normal(size=logits.shape).astype(np.float32)
    risen = task.cross_entropy(targets, logits + step) - task.cross_entropy(targets, logits - step)
    assert risen.sum() == pytest.approx(float(2 * (step * (probabilities - targets)).sum()), rel=1e-2)


def test_scaling_divides_the_logits_and_one_leaves_every_bit(task: tasks.Task) -> None:
    logits = np.random.default_rng(1).normal(size=(50, 3)).astype(np.float32)
    probabilities = task.probabilities(logits)
    np.testing.assert_allclose(task.scaled(probabilities, 2.5), task.probabilities(logits / 2.5), atol=1e-6)
    np.testing.assert_array_equal(task.scaled(probabilities, 1.0), probabilities)
    each = np.linspace(0.5, 2, 50, dtype=np.float32)[:, None]
    np.testing.assert_allclose(task.scaled(probabilities, each), task.probabilities(logits / each), atol=1e-6)
    assert (np.diff([task.confidence(task.scaled(probabilities, t)).mean() for t in (0.5, 1, 2)]) < 0).all()


def test_figures_of_rows_that_are_joined_are_those_of_the_whole(task: tasks.Task) -> None:
    truth = task.truth(stored(task), LABELS)
    probabilities = task.probabilities(np.random.default_rng(2).normal(size=(6, 3)).astype(np.float32))
    how = task.decision(truth, probabilities)
    assert json.loads(json.dumps(how)) == how
    whole = task.evidence(truth, probabilities, how)
    parts = [task.evidence(truth[some], probabilities[some], how) for some in (slice(0, 2), slice(2, 6))]
    assert task.figures(np.concatenate(parts)) == task.figures(whole)
    assert task.figures(whole).keys() == task.metrics.keys()
    assert list(task.label_scores(whole, LABELS)) == ["label", "precision", "recall", "f1", "photos"]
    assert list(task.mistakes(whole, LABELS)) == ["wrong", "predicted", "probability"]


def test_no_other_file_asks_which_task_it_is() -> None:
    """Neither a step nor a room names one, but the menu and the schema."""
    for path in SCRIPTS.rglob("*.py"):
        if path.parent.name != "tasks" and "schemas" not in path.parts:
            names = {node.value for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Constant)}
            assert not names & set(tasks.TASKS), path
    assert set(tasks.TASKS) < {path.stem for path in Path(tasks.__file__).parent.glob("[!_]*.py")}
