"""What a competition says of its task, its metric and the form of its submission, and what of that is refused."""

import re
from pathlib import Path
from typing import Any

import pytest
from conftest import CLASSIFICATION, TABLES, job, pets, plan

from podium import tasks
from podium.plan.fingerprint import fingerprint
from podium.plan.settings import ConfigError
from podium.step import BadInput

pytestmark = pytest.mark.usefixtures("project")
REFUSED = {
    "a metric of another task": (
        {"metric": "samples_f1"},
        "metric: the task classification has no 'samples_f1' (there are: accuracy,",
    ),
    "another metric of another task": (
        {"task": "multilabel", "metric": "accuracy"},
        "metric: the task multilabel has no 'accuracy'",
    ),
    "a metric without its number": ({"metric": "macro_f"}, "metric: the task classification has no 'macro_f'"),
    "a number's place as a number": ({"metric": "map_at_#"}, "metric: the task classification has no 'map_at_#'"),
    "no label": ({"metric": "map_at_0"}, "metric: the task classification has no 'map_at_0'"),
    "half a label": ({"metric": "map_at_1.5"}, "metric: the task classification has no 'map_at_1.5'"),
    "an own metric that is not there": (
        {"metric": "mine.py"},
        "metric: no file config/competitions/mine.py",
    ),
    "settings of another task": (
        {"multilabel": {"separator": ";"}},
        "multilabel: has no effect without `task: multilabel`",
    ),
    "a range of classes": ({"regression": {"range": [0, 1]}}, "regression: has no effect without `task: regression`"),
    "a fit that is none": ({"task": "ordinal", "ordinal": {"fit": "softmax"}}, "ordinal.fit: 'softmax' is not one of"),
    "a range of one number": (
        {"task": "regression", "regression": {"range": [1]}},
        "regression.range: [1] is too short",
    ),
    "a separator of one label": (
        {"submission": {"separator": ";"}},
        "submission.separator: has no effect without `form: top`",
    ),
    "a separator of probabilities": (
        {"task": "multilabel", "submission": {"form": "probabilities", "separator": ";"}},
        "submission.separator: has no effect without `form: labels or top`",
    ),
    "a separator of numbers": (
        {"task": "regression", "submission": {"separator": ";"}},
        "submission.separator: has no effect",
    ),
    "probabilities of grades": (
        {"task": "ordinal", "submission": {"form": "probabilities"}},
        "submission.form: the task ordinal has no 'probabilities'",
    ),
    "one probability of several labels": (
        {"task": "multilabel", "submission": {"form": "probability"}},
        "submission.form: the task multilabel has no 'probability' (did you mean 'probabilities'?)",
    ),
    "a list of numbers": (
        {"task": "regression", "submission": {"form": "top"}},
        "submission.form: the task regression has no 'top'",
    ),
    "decimals of labels": (
        {"submission": {"decimals": 3}},
        "submission.decimals: has no effect without `form: probability or probabilities`",
    ),
    "decimals of grades": (
        {"task": "ordinal", "submission": {"decimals": 3}},
        "submission.decimals: has no effect",
    ),
    "a mask of a part of the photo": (
        {"task": "segmentation", "preprocess": {"fit": "crop"}},
        "preprocess.fit: the task segmentation takes squash or keep, not crop",
    ),
    "a label that is kept": (
        {"preprocess": {"fit": "keep"}},
        "preprocess.fit: the task classification takes crop or pad or squash, not keep",
    ),
    "a target of a label": (
        {"names": {"train": "a/{label}/{id}", "target": "b/{id}", "test": "c/{id}"}},
        "names.train: a `target` is a file for each photo, which the task classification does not have",
    ),
    "a label of a photo that is its own": (
        {"task": "image_to_image", "image_to_image": {"input": "grey"}},
        "tables.train: leave `label` out: with `input: grey` each photo is its own target",
    ),
    "no picture": (
        {"task": "image_to_image", "names": {"train": "a/{id}", "test": "c/{id}"}},
        "names.train: `target` or `label` is missing",
    ),
    "pixels of labels": (
        {"submission": {"form": "pixels"}},
        "submission.form: the task classification has no 'pixels'",
    ),
    "a name of pixels without pixels": (
        {"submission": {"pixel": "{id}_{row}_{column}"}},
        "submission.pixel: has no effect without `form: pixels`",
    ),
    "an own metric of masks": (
        {"task": "segmentation", "metric": "mine.py"},
        "metric: the task segmentation is judged by mean_iou,",
    ),
    "run lengths of labels": (
        {"submission": {"form": "runs"}},
        "submission.form: the task classification has no 'runs'",
    ),
    "one class of pixels": (
        {"task": "segmentation", "segmentation": {"classes": {"salt": 1}}},
        "segmentation.classes: {'salt': 1} does not have enough properties",
    ),
    "a label of no class among probabilities": (
        {"classification": {"unknown": "none"}, "submission": {"form": "probabilities"}},
        "classification.unknown: has no effect in `form: probabilities`",
    ),
    "a label of no class beside one probability": (
        {"classification": {"unknown": "none"}, "submission": {"form": "probability"}},
        "classification.unknown: has no effect in `form: probability`",
    ),
}


@pytest.mark.parametrize(("facts", "message"), REFUSED.values(), ids=REFUSED)
def test_what_does_not_fit_the_task_is_refused_in_one_line(project: Path, facts: dict[str, Any], message: str) -> None:
    pets(project, archive="pets.zip", **facts)
    with pytest.raises(ConfigError, match="^" + re.escape(f"podium: config/competitions/pets.yaml: {message}")) as said:
        plan()
    assert "\n" not in str(said.value)


@pytest.mark.parametrize(
    ("facts", "metric"),
    [
        ({}, "accuracy"),
        ({"submission": {"form": "probabilities"}}, "log_loss"),
        ({"submission": {"form": "probability"}}, "roc_auc"),
        ({"submission": {"form": "top", "top": 3}}, "map_at_3"),
        ({"submission": {"form": "top"}, "classification": {"unknown": "none"}}, "map_at_5"),
        ({"metric": "f0.5"}, "f0.5"),
        ({"task": "multilabel"}, "samples_f1"),
        ({"task": "multilabel", "submission": {"form": "probabilities", "decimals": 3}}, "macro_auc"),
        ({"task": "multilabel", "metric": "samples_f2"}, "samples_f2"),
        ({"task": "ordinal"}, "quadratic_kappa"),
        ({"task": "ordinal", "metric": "macro_f1"}, "macro_f1"),
        ({"task": "regression", "submission": {"decimals": 2}}, "rmse"),
    ],
)
def test_the_metric_is_the_form_s_unless_the_competition_names_one_and_reaches_all_that_it_decides_in(
    project: Path, facts: dict[str, Any], metric: str
) -> None:
    pets(project, archive="pets.zip", **facts)
    one = plan()
    assert one.config.facts("pets")["metric"] == metric
    for rule in ("train", "blend", "decide", "evaluate", "robustness", "leaderboard", "ask"):
        assert tasks.task(one.settings(rule, job())["task"]).metric == metric
    for rule in ("index", "split", "predict", "pool", "calibrate"):
        assert "metric" not in str(one.settings(rule, job(folds="5"))["task"])


def test_a_task_has_its_settings_and_its_code(project: Path) -> None:
    assert plan().settings("split", job(folds="5"))["task"] == CLASSIFICATION
    pets(project, archive="pets.zip", task="multilabel")
    several = plan()
    assert several.settings("split", job(folds="5"))["task"] == {"multilabel": {"separator": " "}}
    assert several.settings("leaderboard", job())["task"] == {"multilabel": {"separator": " ", "metric": "samples_f1"}}
    assert several.code("split", job(folds="5")) == fingerprint("split", ("podium.tasks.multilabel",))
    assert several.code("split", job(folds="5")) != plan_code_of(project, "ordinal")


def plan_code_of(project: Path, task: str) -> str:
    pets(project, archive="pets.zip", task=task)
    return plan().code("split", job(folds="5"))


def test_numbers_are_named_by_their_columns(project: Path) -> None:
    for label, columns in (("price", ["price"]), (["height", "width"], ["height", "width"])):
        train = {**TABLES["train"], "label": label}
        pets(project, archive="pets.zip", task="regression", tables={"train": train, "test": TABLES["test"]})
        for rule in ("index", "split", "decide"):
            assert plan().settings(rule, job(folds="5"))["task"]["regression"]["columns"] == columns
    pets(project, archive="pets.zip", task="regression", regression={"range": [0, 10]})
    assert plan().settings("index", job())["task"] == {"regression": {"range": [0, 10], "columns": ["label"]}}


OWN = "def score(truth, answers, probabilities):\n    return (truth == answers).mean()\n"


MASKS = {"task": "segmentation", "preprocess": {"fit": "squash"}, "run": ["unet"]}


def test_a_mask_has_its_classes_a_folder_of_files_and_a_zip_of_files_as_submission(project: Path) -> None:
    pets(project, archive="pets.zip", **MASKS)
    one = plan()
    said = {"classes": None, "void": [], "answer": None, "runs": "columns", "side": 192}
    made = {"folder": "data/pets/targets", "fit": "squash"}
    assert one.settings("index", job())["task"] == {"segmentation": said | made}
    assert one.targets[0] == "results/pets/unet/submission.zip"
    pets(project, archive="pets.zip", **MASKS | {"submission": {"form": "runs"}})
    assert plan().targets[0] == "results/pets/unet/submission.csv"


GREY = {"task": "image_to_image", "image_to_image": {"input": "grey", "side": 32}, "preprocess": {"fit": "keep"}}
GREY |= {"names": {"train": "a/{id}", "test": "b/{id}"}, "run": ["small_unet"]}


def test_photos_that_are_shown_in_grey_are_stored_so(project: Path) -> None:
    pets(project, archive="pets.zip", **GREY, defaults={"size": 32})
    in_bins = plan(lambda config: config["defaults"]["train"].update(colours="bins"))
    assert in_bins.settings("preprocess", job(part="train-0", size="32"))["grey"] is True
    task = in_bins.settings("train", job(experiment="small_unet", fit="seed0-all"))["task"]
    assert task["image_to_image"]["colours"] == "bins"
    pets(project, archive="pets.zip")
    assert plan().settings("preprocess", job(part="train-0", size="32"))["grey"] is False


@pytest.mark.parametrize(
    ("facts", "experiment", "message"),
    [
        ({"defaults": {"train": {"colours": "bins"}}}, "linear", "train.colours: has no effect but on photos"),
        (GREY, "small_unet", "size: must be image_to_image.side, 32, with `preprocess.fit: keep`, not 224"),
        (
            GREY | {"defaults": {"size": 32, "train": {"unet": {"sizes": [32]}}}},
            "unet",
            "train.unet.augment.light: image_to_image takes 0, since photo and target go through the same transform",
        ),
        (
            MASKS,
            "linear",
            "linear.train.network: head is no network for the task segmentation (there are: deeplab, small_unet,",
        ),
        ({}, "unet", "unet.train.network: unet is no network for the task classification (there are: cnn, finetune,"),
    ],
)
def test_a_network_for_other_answers_is_refused(
    project: Path, facts: dict[str, Any], experiment: str, message: str
) -> None:
    pets(project, archive="pets.zip", **facts)
    with pytest.raises(ConfigError, match=re.escape(message)):
        plan().config.experiment("pets", experiment)


def test_a_side_that_cannot_be_halved_often_enough_is_refused(project: Path) -> None:
    pets(project, archive="pets.zip", **MASKS)
    with pytest.raises(ConfigError, match="unet takes sides that are multiples of 32, not 250"):
        plan(lambda config: config["experiments"]["unet"].update(size=250)).config.experiment("pets", "unet")


def test_a_view_that_cuts_pixels_off_is_refused(project: Path) -> None:
    pets(project, archive="pets.zip", **MASKS)
    with pytest.raises(ConfigError, match=r"predict\.views: 'zoom' does not show each pixel"):
        plan(lambda config: config["experiments"]["unet"]["predict"].update(views=["plain", "zoom"]))


def test_an_own_metric_is_a_file_beside_the_competition_whose_content_is_part_of_the_code(project: Path) -> None:
    """So a change of the file makes again what it decides in, and nothing else."""
    own = project / "config/competitions/metrics/mine.py"
    own.parent.mkdir()
    own.write_text(OWN)
    usual = plan()
    pets(project, archive="pets.zip", metric="metrics/mine.py")
    one = plan()
    path = "config/competitions/metrics/mine.py"
    told = {"classification": CLASSIFICATION["classification"] | {"metric": path}}
    assert one.settings("decide", job())["task"] == told
    assert tasks.task(one.settings("leaderboard", job())["task"]).title == "mine"
    before = {rule: one.code(rule, job(folds="5")) for rule in ("split", "predict", "train", "decide", "evaluate")}
    own.write_text(OWN + "\n")
    after = {rule: plan().code(rule, job(folds="5")) for rule in before}
    assert {rule for rule in before if before[rule] != after[rule]} == {"train", "decide", "evaluate"}
    assert before["split"] == usual.code("split", job(folds="5"))
    assert before["decide"].startswith(f"{usual.code('decide', job())} ")


def test_an_own_metric_is_not_run_by_the_plan(project: Path) -> None:
    (project / "config/competitions/mine.py").write_text("raise SystemExit('run')\n")
    pets(project, archive="pets.zip", metric="mine.py")
    spec = plan().settings("decide", job())["task"]
    with pytest.raises(BadInput, match=r"mine\.py: line 1: SystemExit: run"):
        _ = tasks.task(spec).metrics


def test_an_own_metric_that_is_called_as_one_of_the_menu_is_refused(project: Path) -> None:
    """Tables would not tell them apart."""
    (project / "config/competitions/macro_f2.py").write_text(OWN)
    pets(project, archive="pets.zip", metric="macro_f2.py")
    said = "metric: rename config/competitions/macro_f2.py, since there is a metric 'macro_f2'"
    with pytest.raises(ConfigError, match=re.escape(f"podium: config/competitions/pets.yaml: {said}")):
        plan()
