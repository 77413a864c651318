"""Pictures as they are kept, answered and judged, against scikit-image."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from skimage import metrics
from skimage.color import rgb2lab

from podium import tasks
from podium.photos import images
from podium.step import BadInput
from podium.tasks.cells import Form, Sample
from podium.tasks.dense import DenseTask

SIDE, COUNT = 16, 5


def made(folder: Path, metric: str = "psnr", **changed: Any) -> DenseTask:
    said = {
        "input": "photo",
        "output": "colour",
        "colours": "continuous",
        "side": SIDE,
        "fit": "squash",
        "folder": str(folder),
    }
    task = tasks.task({"image_to_image": said | changed | {"metric": metric}})
    assert isinstance(task, DenseTask)
    return task


def kept(folder: Path, channels: int = 3) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The truth of some photos, their pictures and predictions that are nearly right."""
    random = np.random.default_rng(0)
    blocks = random.integers(40, 216, (COUNT, 4, 4, channels))
    pictures = np.kron(blocks, np.ones((1, 4, 4, 1), int)).astype(np.uint8)
    for number, each in enumerate(pictures):
        (folder / f"{number}.png").write_bytes(images.png(each))
    said = (pictures / 255 + random.normal(0, 0.04, pictures.shape)).clip(0, 1).astype(np.float32)
    return np.array([f"{number}.png" for number in range(COUNT)]), pictures, said.reshape(COUNT, -1)


def test_figures_are_those_of_scikit_image_on_what_is_handed_in(tmp_path: Path) -> None:
    task = made(tmp_path, "lab_mae")
    truth, pictures, said = kept(tmp_path)
    found = task.figures(task.evidence(truth, said, {}))
    answers = [images.whole(task.file(each, {}, SIDE, SIDE), "RGB") for each in said]
    pairs = list(zip(pictures, answers, strict=True))
    np.testing.assert_array_equal(np.stack(answers), np.rint(said * 255).astype(np.uint8).reshape(pictures.shape))
    assert found["psnr"] == pytest.approx(np.mean([metrics.peak_signal_noise_ratio(*pair) for pair in pairs]))
    assert found["ssim"] == pytest.approx(
        np.mean([metrics.structural_similarity(*pair, channel_axis=-1) for pair in pairs])
    )
    apart = (pictures / 255 - np.stack(answers) / 255).ravel()
    assert found["rmse"] == pytest.approx(np.sqrt((apart**2).mean()))
    assert found["mae"] == pytest.approx(np.abs(apart).mean())
    lab = [np.abs(rgb2lab(one) - rgb2lab(two)).mean() for one, two in pairs]
    assert found["lab_mae"] == pytest.approx(np.mean(lab))
    assert list(found) == ["lab_mae", "psnr", "ssim", "rmse", "mae"]


def test_a_right_answer_has_a_hundred_decibels_and_is_as_colourful(tmp_path: Path) -> None:
    task = made(tmp_path, "colourfulness")
    truth, pictures, said = kept(tmp_path)
    right = (pictures / 255).reshape(COUNT, -1).astype(np.float32)
    found = task.figures(task.evidence(truth, right, {}))
    assert (found["psnr"], found["ssim"], found["rmse"]) == (pytest.approx(100), 1, 0)
    assert found["colourfulness"] == 1
    grey = pictures.mean(-1, keepdims=True).repeat(3, -1).reshape(COUNT, -1) / 255
    assert task.figures(task.evidence(truth, grey.astype(np.float32), {}))["colourfulness"] < 0.01
    assert not task.mistakes(task.evidence(truth, right, {}), []).wrong.any()
    assert task.mistakes(task.evidence(truth, said, {}), []).wrong.all()


def test_answers_that_need_no_model_are_the_grey_photo_and_the_mean_colour(tmp_path: Path) -> None:
    task = made(tmp_path, input="grey")
    truth, pictures, said = kept(tmp_path)
    how = task.limits(truth)
    np.testing.assert_allclose(how["mean"], pictures.mean((0, 1, 2)), atol=0.01)
    evidence = task.evidence(truth, said, how)
    found = {name: task.figures(own) for name, own in task.trivial(truth, evidence, how).items()}
    grey = np.stack([np.asarray(Image.fromarray(each).convert("L").convert("RGB")) for each in pictures])
    wanted = [metrics.peak_signal_noise_ratio(*pair) for pair in zip(pictures, grey, strict=True)]
    assert found["the grey photo"]["psnr"] == pytest.approx(np.mean(wanted), abs=0.01)
    assert found["with the mean colour"]["rmse"] < found["the grey photo"]["rmse"]
    plain = made(tmp_path)
    mean = plain.trivial(truth, evidence, how)["the mean colour"]
    rest = pictures - np.rint(pictures.mean((0, 1, 2)))
    assert plain.figures(mean)["rmse"] == pytest.approx(np.sqrt((rest**2).mean()) / 255, rel=1e-3)


def test_a_target_is_a_picture_of_the_photos_size(tmp_path: Path) -> None:
    task = made(tmp_path, output="grey")
    picture = np.arange(6, dtype=np.uint8).reshape(2, 3) * 40
    read = {"clean/a.png": images.png(picture), "clean/b.png": b"hello"}.__getitem__
    (tmp_path / "a.png").write_bytes(task.drawn(task.read_file("clean/a.png"), read, 3, 2))
    np.testing.assert_array_equal(task.target("a.png")[..., 0], picture)
    assert task.target("a.png", 8).shape == (8, 8, 1)
    with pytest.raises(ValueError, match=r"its target clean/a\.png has 3 x 2 pixels, the photo 2 x 3"):
        task.drawn("clean/a.png", read, 2, 3)
    with pytest.raises(ValueError, match=r"its target clean/b\.png is no image"):
        task.drawn("clean/b.png", read, 2, 3)


def test_predictions_come_back_at_the_size_and_the_place_of_a_kept_photo(tmp_path: Path) -> None:
    task = made(tmp_path, output="grey", fit="keep")
    said = np.zeros((SIDE, SIDE, 1), np.float32)
    said[:4, :6] = np.arange(24).reshape(4, 6, 1) / 255
    data = task.file(said.ravel(), {}, 6, 4)
    np.testing.assert_array_equal(images.whole(data, "L"), np.arange(24).reshape(4, 6))
    task.check_file("it", data, 6, 4)
    with pytest.raises(BadInput, match="it: 6 x 4 pixels, but the photo has 4 x 6"):
        task.check_file("it", data, 4, 6)
    with pytest.raises(BadInput, match="it: no image"):
        task.check_file("it", b"hello", 4, 6)


def test_a_row_for_each_pixel_needs_one_channel_and_one_column(tmp_path: Path) -> None:
    sample, form = Sample("s.csv", ["id", "value"], ["1"], 0, ",", "\n", "utf-8"), Form("pixels", 1, " ")
    made(tmp_path, output="grey").check_form(sample, form, ["grey"])
    with pytest.raises(BadInput, match=r"a row for each pixel needs `image_to_image\.output: grey`"):
        made(tmp_path).check_form(sample, form, ["red", "green", "blue"])


def test_a_teachers_answer_becomes_a_target(tmp_path: Path) -> None:
    task = made(tmp_path)
    truth, pictures, _ = kept(tmp_path)
    right = (pictures / 255).reshape(COUNT, -1).astype(np.float32)
    np.testing.assert_array_equal(task.pseudo_target(right[2], SIDE), task.target(str(truth[2])))
    assert task.pseudo_target(right[2], 32).shape == (32, 32, 3)


def test_colours_in_bins_come_back_and_frequent_ones_count_less(tmp_path: Path) -> None:
    task = made(tmp_path, input="grey", colours="bins")
    truth, _, _ = kept(tmp_path)
    link, targets = task.link, task.targets(truth, SIDE * SIDE * 3).reshape(COUNT, SIDE, SIDE, 3)
    shares = link._shares(np, targets)
    np.testing.assert_allclose(shares.sum(-1), 1, rtol=1e-5)
    grey = targets @ np.array([[0.299], [0.587], [0.114]], np.float32)
    sure = np.concatenate([np.log(shares + 1e-9), grey], -1).astype(np.float32)
    assert np.abs(link.predictions(sure) - targets).max() < 16 / 255
    np.testing.assert_allclose(link.pictures(sure), link.predictions(sure), atol=1e-5)
    counts = task.frequencies(truth, task.labels(truth))
    assert counts.argmax() in shares.sum((0, 1, 2)).argsort()[-3:]
    assert counts.min() > 0
    loss = link.loss(0.0, np.ones(link.channels, np.float32))
    assert float(loss(targets, sure)) < float(loss(targets, np.zeros_like(sure)))
