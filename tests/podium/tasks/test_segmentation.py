"""Masks as they are kept, answered and judged, against scikit-learn on all pixels at once."""

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from sklearn.metrics import f1_score, jaccard_score

from classify import Answered, _write_files
from podium import tasks
from podium.photos import masks
from podium.step import BadInput
from podium.tasks.cells import Form, Sample
from podium.tasks.measures import as_rows

CLASSES, SIDE = {"sky": 10, "tree": [20, 21], "road": 30}, 16
VOID = 255


def made(folder: Path, metric: str = "mean_iou", **changed: Any) -> tasks.Task:
    said = {"classes": CLASSES, "void": [0], "answer": None, "runs": "columns", "side": SIDE, "fit": "squash"}
    said |= {"folder": str(folder)}
    return tasks.task({"segmentation": said | changed | {"metric": metric}})


def png(values: np.ndarray) -> bytes:
    out = io.BytesIO()
    Image.fromarray(values.astype(np.uint8)).save(out, "PNG")
    return out.getvalue()


def kept(folder: Path, *ids: np.ndarray) -> np.ndarray:
    """The truth of photos with these classes' numbers."""
    for number, each in enumerate(ids):
        (folder / f"{number}.png").write_bytes(masks.encode(each.astype(np.uint8)))
    return np.array([f"{number}.png" for number in range(len(ids))])


def drawn(seed: int, photos: int = 4, void: float = 0.1) -> tuple[list[np.ndarray], np.ndarray]:
    """Masks of blocks, and predictions that are right for most of their pixels."""
    random = np.random.default_rng(seed)
    ids = [np.kron(random.integers(0, 3, (4, 4)), np.ones((4, 4), int)) for _ in range(photos)]
    logits = random.normal(size=(photos, SIDE, SIDE, 3)) + 2 * (np.array(ids)[..., None] == np.arange(3))
    said = np.exp(logits) / np.exp(logits).sum(-1, keepdims=True)
    ids = [np.where(random.random(each.shape) < void, VOID, each) for each in ids]
    return ids, said.reshape(photos, -1).astype(np.float32)


def test_values_become_classes_and_void_and_come_back(tmp_path: Path) -> None:
    task = made(tmp_path)
    values = np.array([[10, 20, 21], [30, 0, 10]])
    data = task.drawn(task.read_file("m.png"), {"m.png": png(values)}.__getitem__, 3, 2)
    assert masks.read(data).tolist() == [[0, 1, 1], [2, VOID, 0]]
    assert task.labels(["x"]) == ["sky", "tree", "road"]
    assert task.outputs(["sky", "tree", "road"]) == SIDE * SIDE * 3


@pytest.mark.parametrize(
    ("values", "said"),
    [
        (np.array([[10, 20, 40], [30, 0, 10]]), "the mask has the value 40, which no class has"),
        (np.array([[10, 20]]), "the mask has 2 x 1 pixels, the photo 3 x 2"),
    ],
)
def test_a_mask_that_is_not_of_the_photo_or_of_other_classes_is_refused(
    tmp_path: Path, values: np.ndarray, said: str
) -> None:
    task = made(tmp_path)
    with pytest.raises(ValueError, match=said):
        task.drawn(task.read_file("m.png"), {"m.png": png(values)}.__getitem__, 3, 2)


def test_run_lengths_are_of_the_class_that_is_answered(tmp_path: Path) -> None:
    task = made(tmp_path, classes={"background": 0, "salt": 1}, answer="salt", void=[])
    assert masks.read(task.drawn(task.read("1 2 5 1"), {}.__getitem__, 3, 2)).tolist() == [[1, 0, 1], [1, 0, 0]]
    assert masks.read(task.drawn(task.read(""), {}.__getitem__, 3, 2)).tolist() == [[0, 0, 0], [0, 0, 0]]


def test_the_other_class_is_where_no_run_is_whatever_they_are_called(tmp_path: Path) -> None:
    task = made(tmp_path, classes={"ball": 1, "none": 0}, answer="ball", void=[])
    assert masks.read(task.drawn(task.read("1 2"), {}.__getitem__, 2, 2)).tolist() == [[0, 1], [0, 1]]
    with pytest.raises(ValueError, match="run lengths are of two classes, not of 3"):
        made(tmp_path).drawn("runs:1 2", {}.__getitem__, 2, 2)


@settings(max_examples=20)
@given(seed=st.integers(0, 1000))
def test_figures_are_those_of_all_pixels_together_without_void(
    seed: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("masks")
    ids, said = drawn(seed)
    task, truth = made(folder), kept(folder, *ids)
    evidence = task.evidence(truth, said, {})
    found = task.figures(evidence)
    true, answer = np.array(ids).ravel(), said.reshape(-1, 3).argmax(1)
    true, answer = true[true != VOID], answer[true != VOID]
    assert found["mean_iou"] == pytest.approx(jaccard_score(true, answer, average="macro"))
    assert found["pixel_accuracy"] == pytest.approx((true == answer).mean())
    dice = made(folder, "mean_dice")
    assert dice.figures(evidence)["mean_dice"] == pytest.approx(f1_score(true, answer, average="macro"))
    own = made(folder, "iou", answer="tree")
    assert own.figures(evidence)["iou"] == pytest.approx(jaccard_score(true == 1, answer == 1))
    scores = task.label_scores(evidence, list(CLASSES))
    np.testing.assert_allclose(scores.iou, jaccard_score(true, answer, average=None))


def test_precision_over_thresholds_counts_empty_masks(tmp_path: Path) -> None:
    """Overlaps of 1 (both empty), 0 (only one empty), 3/4 (above 0.5 to 0.7, and not above itself) and 1."""
    task = made(tmp_path, "iou_precision", classes={"none": 0, "salt": 1}, answer="salt", void=[])
    none, some, more = np.zeros((SIDE, SIDE), int), np.zeros((SIDE, SIDE), int), np.zeros((SIDE, SIDE), int)
    some[:3], more[:4] = 1, 1
    truth = kept(tmp_path, none, some, some, some)
    said = np.stack([none, none, more, some])[..., None] == np.arange(2)
    evidence = task.evidence(truth, said.reshape(4, -1).astype(np.float32), {})
    assert task.figures(evidence)["iou_precision"] == pytest.approx((1 + 0 + 5 / 10 + 1) / 4)


def test_predictions_come_back_at_the_size_and_the_place_of_the_photo(tmp_path: Path) -> None:
    task = made(tmp_path, classes={"none": 0, "salt": 1}, answer="salt", void=[])
    said = np.zeros((SIDE, SIDE, 2), np.float32)
    said[..., 0], said[4:8, 8:] = 1, [0, 1]
    text = task.cell(said.ravel(), {}, 64, 32)
    mask = masks.from_runs(text, 64, 32, "columns")
    assert mask.sum() == pytest.approx(8 * 32, rel=0.1)
    assert mask[9:15, 33:].all()
    values = masks.read(task.file(said.ravel(), {}, 64, 32))
    assert values.shape == (32, 64)
    np.testing.assert_array_equal(values == 1, mask)


def test_values_of_sixteen_bits_are_handed_in_as_they_are(tmp_path: Path) -> None:
    task = made(tmp_path, classes={"none": 0, "salt": 65535}, answer="salt", void=[])
    said = np.tile([0.1, 0.9], SIDE * SIDE).astype(np.float32)
    data = task.file(said, {}, 5, 4)
    assert (masks.read(data) == 65535).all()
    task.check_file("a.png", data, 5, 4)


def test_masks_of_photos_of_one_name_are_never_written_over_each_other(tmp_path: Path) -> None:
    task = made(tmp_path)
    said = Answered(task, [*CLASSES], {}, np.zeros((2, SIDE * SIDE * 3), np.float32))
    files = [tmp_path / folder / "a.jpg" for folder in ("x", "y")]
    with pytest.raises(BadInput, match=r"x/a\.jpg and .*y/a\.jpg: their masks would have one name"):
        _write_files(task, said, files, tmp_path / "out.zip")
    with pytest.raises(BadInput, match=r"out\.csv: a mask for each photo is written into a zip: name it so"):
        _write_files(task, said, files, tmp_path / "out.csv")
    assert not list(tmp_path.glob("*out*"))


def test_the_threshold_and_the_least_size_are_those_that_the_metric_rewards(tmp_path: Path) -> None:
    """Of classes that are all foretold too low, and of specks where there is nothing."""
    task = made(tmp_path, "iou", classes={"none": 0, "salt": 1}, answer="salt", void=[])
    some, none = np.zeros((SIDE, SIDE), int), np.zeros((SIDE, SIDE), int)
    some[:8] = 1
    low = np.where(some, 0.35, 0.05)
    speck = np.full((SIDE, SIDE), 0.05)
    speck[0, 0] = 0.9
    said = np.stack([np.stack([1 - each, each], -1).ravel() for each in (low, speck)]).astype(np.float32)
    truth = kept(tmp_path, some, none)
    how = task.decision(truth, said)
    assert 0.05 < how["threshold"] < 0.35
    assert how["least"] > 1 / SIDE**2
    assert task.figures(task.evidence(truth, said, how))["iou"] == 1
    assert task.figures(task.evidence(truth, said, {}))["iou"] == 0


def test_folds_are_stratified_by_the_share_of_the_answer(tmp_path: Path) -> None:
    task = made(tmp_path, "iou", classes={"none": 0, "salt": 1}, answer="salt", void=[])
    ids = [np.tile(np.arange(SIDE) < number, (SIDE, 1)) for number in (16, 0, 8, 4, 12)]
    assert task.strata(kept(tmp_path, *ids)).tolist() == [8, 0, 4, 2, 6]


def test_a_file_of_another_size_or_with_other_values_is_no_submission(tmp_path: Path) -> None:
    task = made(tmp_path)
    task.check_file("a.png", png(np.array([[10, 20, 30]])), 3, 1)
    with pytest.raises(BadInput, match=r"a\.png: 3 x 1 pixels, but the photo has 1 x 3"):
        task.check_file("a.png", png(np.array([[10, 20, 30]])), 1, 3)
    with pytest.raises(BadInput, match=r"a\.png: no class has the value 31"):
        task.check_file("a.png", png(np.array([[10, 20, 31]])), 3, 1)


def test_runs_need_one_column_and_a_class_that_there_is(tmp_path: Path) -> None:
    sample = Sample("s.csv", ["id", "a", "b"], ["1"], 0, ",", "\n", "utf-8")
    with pytest.raises(BadInput, match=r"s\.csv: line 1: 2 columns next to the id, but runs need one"):
        made(tmp_path).check_form(sample, Form("runs", 1, " "), list(CLASSES))
    with pytest.raises(BadInput, match=r"segmentation\.answer: no class is called 'salt'"):
        made(tmp_path, answer="salt").check_form(sample, Form("runs", 1, " "), list(CLASSES))


def test_colours_become_classes_and_come_back(tmp_path: Path) -> None:
    palette = {"road": "#804080", "sky": ["#808080", "#ffffff"]}
    task = made(tmp_path, classes=palette, void=["#000000"])
    road, sky, white, void = [128, 64, 128], [128, 128, 128], [255, 255, 255], [0, 0, 0]
    colours = np.array([[road, sky, white], [void, road, sky]], np.uint8)
    data = task.drawn(task.read_file("m.png"), {"m.png": png(colours)}.__getitem__, 3, 2)
    assert masks.read(data).tolist() == [[0, 1, 1], [VOID, 0, 1]]
    said = np.zeros((SIDE, SIDE, 2), np.float32)
    said[..., 0], said[:, 8:] = 1, [0, 1]
    handed_in = task.file(said.ravel(), {}, SIDE, SIDE)
    task.check_file("a.png", handed_in, SIDE, SIDE)
    shown = np.asarray(Image.open(io.BytesIO(handed_in)))
    assert shown[0, 0].tolist() == road
    assert shown[0, -1].tolist() == sky
    with pytest.raises(ValueError, match="the mask has the colour #0a0000, which no class has"):
        task.drawn("file:m.png", {"m.png": png(np.full((2, 3, 3), [10, 0, 0]))}.__getitem__, 3, 2)
    with pytest.raises(BadInput, match=r"a\.png: no class has the colour #0a0000"):
        task.check_file("a.png", png(np.full((2, 3, 3), [10, 0, 0])), 3, 2)


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"classes": {"sky": 1, "sea": [2, 1]}}, "segmentation.classes: 'sky' and 'sea' both have the value 1"),
        ({"void": [21]}, "segmentation.classes: 'tree' and 'void' both have the value 21"),
        ({"void": ["#000000"]}, "10, 20, 21, 30, #000000: give either numbers or colours"),
    ],
)
def test_values_that_say_two_things_are_refused(tmp_path: Path, changed: dict[str, Any], said: str) -> None:
    with pytest.raises(BadInput, match=said):
        made(tmp_path, **changed)


def test_edges_count_as_right_where_they_are_near(tmp_path: Path) -> None:
    """Of a photo with a diagonal of 400 pixels, within 3; the other half of an edge is far."""
    task = made(tmp_path, "boundary_f1", classes={"none": 0, "salt": 1}, answer="salt", void=[])
    true, answer = np.zeros((320, 240), int), np.zeros((320, 240), int)
    true[100:], answer[102:] = 1, 1
    truth = kept(tmp_path, true)
    edges = masks.edges(true, answer, 2)
    assert edges.tolist() == [[240, 240]] * 4
    assert task.figures(as_edges(edges))["boundary_f1"] == 1
    answer[102:, :120] = 0
    answer[200:, :120] = 1
    near, all_true, near_true, said = masks.edges(true, answer, 2)[:, 1]
    assert all_true == 240
    assert 118 <= near <= 124
    assert 118 <= near_true <= 128
    assert said > 330
    found = task.figures(as_edges(masks.edges(true, answer, 2)))["boundary_f1"]
    assert 0.3 < found < 0.55
    sure = (true[..., None] == np.arange(2)).astype(np.float32)
    said_whole = np.asarray(Image.fromarray(sure[..., 1]).resize((SIDE, SIDE)))
    evidence = task.evidence(truth, np.stack([1 - said_whole, said_whole], -1).reshape(1, -1), {})
    assert task.figures(evidence)["boundary_f1"] > 0.9
    trivial = task.trivial(truth, evidence, {})
    assert task.figures(trivial["all salt"])["boundary_f1"] == 0


def as_edges(edges: np.ndarray) -> np.ndarray:
    return as_rows({"confusion": np.ones((1, 2, 2), np.int64), "edges": edges[None]})


def test_shapes_of_a_photo_lie_over_each_other(tmp_path: Path) -> None:
    task = made(tmp_path, classes={"background": 0, "car": 1, "road": 2}, void=[])
    square, counts = "[[0,2,4,2,4,6,0,6]]", '{"size": [6, 5], "counts": [24, 6]}'
    stored = task.joined([task.read_columns({"c": "road", "s": square}), task.read_columns({"c": "car", "s": counts})])
    found = masks.read(task.drawn(stored, {}.__getitem__, 5, 6))
    assert found.tolist() == [[0, 0, 0, 0, 1]] * 2 + [[2, 2, 2, 2, 1]] * 4
    empty = task.drawn(task.read_columns({"c": "", "s": ""}), {}.__getitem__, 5, 6)
    assert not masks.read(empty).any()
    of_none = made(tmp_path, classes={"car": 1, "road": 2}, void=[])
    assert masks.read(of_none.drawn(of_none.read_columns({"c": "", "s": ""}), {}.__getitem__, 5, 6)).min() == VOID


@pytest.mark.parametrize(
    ("shape", "said"),
    [
        ("[[0,0,4,0]]", "the shape is no list of polygons"),
        ("[[0,0,9,0,9,9]]", "a polygon leaves the photo, which has 5 x 6"),
        ('{"size": [6, 5], "counts": [24, 7]}', "are not those of a photo of 5 x 6"),
        ('{"size": [6, 5], "counts": "abc"}', "the shape's `counts` are packed"),
        ("[[0,0", "the shape is no JSON"),
    ],
)
def test_a_shape_that_is_none_is_refused(tmp_path: Path, shape: str, said: str) -> None:
    task = made(tmp_path, classes={"background": 0, "car": 1}, void=[])
    with pytest.raises(ValueError, match=said):
        task.drawn(task.read_columns({"c": "car", "s": shape}), {}.__getitem__, 5, 6)
    with pytest.raises(ValueError, match="the class 'bus' is not one of background, car"):
        task.read_columns({"c": "bus", "s": shape})
