"""What holds for every task on the menu, and that no other file knows their names."""

import ast
import json
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import pytest
from conftest import ROOT
from hypothesis import given
from hypothesis import strategies as st

from podium import tasks
from podium.step import BadInput
from podium.tasks.cells import Form, Sample

SCRIPTS = ROOT / "workflow/scripts"


class Case(NamedTuple):
    """A task as a competition sets it, the cells of six photos, and the labels in them."""

    name: str
    settings: dict[str, Any]
    cells: list[str]
    labels: list[str]


LETTERS, NUMBERS = ["b", "a", "c", "a", "b", "a"], ["2.5", "-1", "0", "1e3", "7", "7"]
CASES = {
    "classes": Case("classification", {"positive": None, "unknown": None}, LETTERS, ["a", "b", "c"]),
    "two classes": Case("classification", {"positive": "a"}, ["b", "a", "b", "a", "b", "a"], ["b", "a"]),
    "classes or none": Case("classification", {"unknown": "c"}, LETTERS, ["a", "b"]),
    "several labels": Case("multilabel", {"separator": " "}, ["b a", "a", "c", "", "a  c b", "b"], ["a", "b", "c"]),
    "grades": Case("ordinal", {"fit": "cumulative"}, ["2", "0", "10.0", "0", "2", "10"], ["0", "2", "10"]),
    "grades as numbers": Case("ordinal", {"fit": "regression"}, ["2", "0", "1", "0", "2", "1"], ["0", "1", "2"]),
    "a number": Case("regression", {"range": None, "columns": ["price"]}, NUMBERS, ["price"]),
    "a number in a range": Case("regression", {"range": [0, 5], "columns": ["price"]}, NUMBERS, ["price"]),
}


@pytest.fixture(params=CASES)
def case(request: pytest.FixtureRequest) -> Case:
    return CASES[request.param]


def made(case: Case, metric: str | None = None) -> tasks.Task:
    settings = case.settings | ({"metric": metric} if metric else {})
    return tasks.task({case.name: settings})


def stored(task: tasks.Task, case: Case) -> list[str]:
    return [task.read(cell) for cell in case.cells]


def predicted(task: tasks.Task, case: Case, seed: int = 0, skill: float = 1.0) -> tuple[np.ndarray, np.ndarray]:
    """The truth of forty times the photos, and predictions that tell something of it."""
    truth = task.truth(stored(task, case) * 40, case.labels)
    targets = task.targets(truth, task.outputs(case.labels))
    noise = np.random.default_rng(seed).normal(size=targets.shape)
    if task.link.scaled_targets:
        return truth, (targets + noise / skill * targets.std(0)).astype(np.float32)
    return truth, task.link.predictions((noise + skill * (4 * targets - 2)).astype(np.float32))


def test_labels_come_back_from_the_index_and_targets_agree_with_the_truth(case: Case) -> None:
    task = made(case)
    index = pd.DataFrame({"label": stored(task, case), "split": "train"})
    assert task.taught(index) == case.labels
    assert task.joined([index.label[0], index.label[0]]) == index.label[0]
    truth, outputs = task.truth(index.label, case.labels), task.outputs(case.labels)
    targets, known = task.targets(truth, outputs), task.known(truth)
    assert targets.dtype == np.float32
    assert targets.shape == (6, outputs)
    assert list(known) == [label != case.settings.get("unknown", "-") for label in case.cells]
    assert task.strata(truth).shape == (6,)
    for label, row in zip(index.label[known], targets[known], strict=True):
        if names := task.names(label):
            places = [case.labels.index(name) for name in names]
            expected = np.isin(np.arange(len(case.labels)), places)
            if case.name == "ordinal":
                assert row.sum() == places[0]
            else:
                assert (row == expected).all()


def test_a_photo_of_one_label_cannot_have_two_unless_it_may_have_several(case: Case) -> None:
    task = made(case)
    first, second, *_ = dict.fromkeys(stored(task, case))
    if case.name == "multilabel":
        assert set(task.names(task.joined([first, second]))) == {*task.names(first), *task.names(second)}
    else:
        with pytest.raises(ValueError, match="has two labels, "):
            task.joined([first, second])


def test_calibration_is_of_probabilities_alone_and_makes_them_less_sure(case: Case) -> None:
    task = made(case)
    truth, predictions = predicted(task, case)
    if not task.calibrates:
        assert task.link.scaled_targets
        return
    sure = [task.confidence(task.link.tempered(predictions, t)).mean() for t in (0.5, 1, 2)]
    assert (np.diff(sure) < 0).all()
    given = task.given(truth, predictions)
    assert len(given) == len(truth)
    assert ((given >= 0) & (given <= 1)).all()
    evidence = task.evidence(truth, predictions, task.limits(truth))
    assert 0 <= task.calibration_error(evidence) <= 1


def test_figures_of_rows_that_are_joined_are_those_of_the_whole(case: Case) -> None:
    task = made(case)
    truth, predictions = predicted(task, case)
    how = task.limits(truth) | task.decision(truth, predictions)
    assert json.loads(json.dumps(how)) == how
    whole = task.evidence(truth, predictions, how)
    parts = [task.evidence(truth[some], predictions[some], how) for some in (slice(0, 2), slice(2, len(truth)))]
    assert task.figures(np.concatenate(parts)) == task.figures(whole)
    assert task.figures(whole).keys() == task.metrics.keys()
    assert next(iter(task.metrics)) == task.title
    assert task.decided_by in task.metrics
    scores = task.label_scores(whole, case.labels)
    assert [scores.columns[0], scores.columns[-1]] == ["label", "photos"]
    assert list(scores.label) == case.labels
    mistakes = task.mistakes(whole, case.labels)
    assert list(mistakes) == ["wrong", "predicted", task.gravity]
    assert len(mistakes) == len(truth)
    shown = task.shown(predictions, how, case.labels)
    assert len(shown) == len(task.answers(predictions, how)) == len(truth)


MENU = [
    (case, name.replace("#", "2"))
    for case in CASES.values()
    for name in tasks.TASKS[case.name].metrics
    if (name != "f#" or len(case.labels) == 2)
]


@pytest.mark.parametrize(
    ("case", "metric"), MENU, ids=lambda each: each if isinstance(each, str) else f"{each.name} {len(each.labels)}"
)
def test_every_metric_of_the_menu_guides_decides_and_is_computed(case: Case, metric: str) -> None:
    """Better predictions have a lower guide and a better figure, and what is decided answers every photo."""
    task = made(case, metric)
    guides, figures = [], []
    for skill in (0.2, 3.0):
        truth, predictions = predicted(task, case, skill=skill)
        known = task.known(truth)
        guides.append(task.guide(truth[known], predictions[known]))
        how = task.limits(truth) | task.decision(truth, predictions)
        assert json.loads(json.dumps(how)) == how
        figures.append(task.figures(task.evidence(truth, predictions, how)))
        assert np.isfinite(list(figures[-1].values())).all()
    assert guides[1] < guides[0]
    for name in {metric, task.decided_by}:
        low, high = (each[name] for each in figures)
        assert high > low if task.metrics[name] else high < low


@pytest.mark.parametrize("form", ["labels", "probability", "probabilities", "top"])
def test_what_is_written_of_each_form_is_what_is_checked(case: Case, form: str) -> None:
    task, top = made(case), 2
    idle = any((key, form) in tasks.TASKS[case.name].idle and case.settings.get(key) for key in case.settings)
    if form not in tasks.TASKS[case.name].forms or idle or (form == "probability" and len(case.labels) > 2):
        return
    columns = task.columns(form, case.labels) or ["answer"]
    wanted, sample = Form(form, top, " "), Sample("s.csv", ["id", *columns], ["1"], 0, ",", "\n", "utf-8")
    task.check_form(sample, wanted, case.labels)
    truth, predictions = predicted(task, case)
    how = task.limits(truth) | task.decision(truth, predictions)
    rows = task.cells(predictions, how, case.labels, columns, wanted)
    assert len(rows) == len(truth)
    for row in rows:
        task.check_cells("line 2", dict(zip(columns, row, strict=True)), wanted, case.labels)
        with pytest.raises(BadInput, match=r"^line 2: "):
            task.check_cells("line 2", dict.fromkeys(columns, "no such"), wanted, case.labels)
    with pytest.raises(BadInput, match=r"s\.csv: line 1: "):
        task.check_form(sample._replace(header=["id", "x", "y", "z", "z2"]), wanted, case.labels)


OWN = """
MORE_IS_BETTER = False


def score(truth, answers, probabilities):
    return float(abs(truth.astype(float) - answers).mean())
"""


def test_an_own_metric_orders_decides_and_stands_first(case: Case, tmp_path: Path) -> None:
    (tmp_path / "off.py").write_text(OWN)
    task = made(case, str(tmp_path / "off.py"))
    assert next(iter(task.metrics.items())) == ("off", False)
    assert task.title == task.decided_by == "off"
    truth, predictions = predicted(task, case)
    how = task.limits(truth) | task.decision(truth, predictions)
    evidence = task.evidence(truth, predictions, how)
    answers = task.answers(predictions, how)
    own = truth[:, :-1] if case.name == "multilabel" else truth
    assert task.figures(evidence)["off"] == pytest.approx(np.abs(own.astype(float) - answers).mean())
    known = task.known(truth)
    assert np.isfinite(task.guide(truth[known], predictions[known]))


numbers = st.integers(1, 10**6).map(str) | st.floats(0.001, 1000).map(lambda x: f"{x:.3f}".rstrip("0"))


@given(number=numbers, name=st.sampled_from(["f", "macro_f", "micro_f", "samples_f", "map_at_"]))
def test_a_metric_is_named_with_its_number(number: str, name: str) -> None:
    whole = not number.endswith(".") and not (name == "map_at_" and "." in number) and float(number) > 0
    if whole:
        assert tasks.general(f"{name}{number}") == (f"{name}#", float(number))
    else:
        assert tasks.general(f"{name}{number}") == (f"{name}{number}", 1.0)


@pytest.mark.parametrize(
    "name", ["accuracy", "macro_auc", "r2", "macro_f", "f", "f0", "f01", "f1.0", "f-1", "map_at_0", "x.py", "f#"]
)
def test_other_names_are_what_they_are(name: str) -> None:
    assert tasks.general(name) == (name, 1.0)


def test_no_other_file_asks_which_task_it_is() -> None:
    """Neither a step nor a room names one, but the menu, the schema and what proposes one for a new competition."""
    for path in SCRIPTS.rglob("*.py"):
        # A key of COCO's form is called like a task.
        if path.parent.name not in ("tasks", "begin") and "schemas" not in path.parts and path.name != "coco.py":
            names = {node.value for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Constant)}
            assert not names & set(tasks.TASKS), path
    assert set(tasks.TASKS) < {path.stem for path in Path(tasks.__file__).parent.glob("[!_]*.py")}
