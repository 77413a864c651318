"""What a network is shown of its photos: crops, turned, spoilt, in another light, mixed; and their targets."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from conftest import SUBJECTS, UNVARIED, dataset, photo
from hypothesis import given, settings
from hypothesis import strategies as st

from podium.networks import training
from podium.networks.augmentation import Augmentation, Strengths
from podium.photos import images, pixels, views

SIZE, COUNT, EPOCHS = 48, 16, 6
ROWS = np.arange(COUNT)


@pytest.fixture(scope="module")
def part(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("augmentation") / "train-0.npy"
    decoded = [images.decode(photo(SUBJECTS[number % 4], number), SIZE) for number in range(COUNT)]
    pixels.write(path, (COUNT, SIZE, SIZE, 3), decoded)
    return path


def cuts(part: Path, sizes: tuple[int, ...] = (32,), **strengths: Any) -> Augmentation:
    """Crops of the photos; each target is a class of its own."""
    given = UNVARIED | {"area": [0.3, 1.0], "aspect": 4 / 3, "flip": True} | strengths
    targets = np.eye(COUNT, dtype=np.float32)
    data = dataset([part], ROWS, targets, ROWS)
    return Augmentation(pixels.Pixels([part]), data, list(sizes), EPOCHS, Strengths(**given))


def shown(part: Path, seed: int = 0, batch: int = 8, **options: Any) -> list[Any]:
    """The batches of all epochs, as the network is given them."""
    schedule = training.Schedule(EPOCHS, batch, 0.1, 0, 0)
    batches = training._batches(cuts(part, **options).feed(), ROWS, schedule, COUNT // batch, 0, seed)
    return list(batches.as_numpy_iterator())


def test_the_sides_follow_each_other_for_as_many_epochs(part: Path) -> None:
    sides = [batch.shape[1:] for batch, _ in shown(part, sizes=(32, 40, 48))]
    assert sides == [(side, side, 3) for side in (32, 40, 48) for _ in range(4)]


@pytest.mark.parametrize("mix", [{}, {"mixup": 0.4}, {"cutmix": 1.0}, {"mixup": 1.0, "cutmix": 1.0}], ids=str)
def test_batches_are_pixels_and_targets_sum_to_one(part: Path, mix: dict[str, float]) -> None:
    batches = shown(part, rotation=0.2, light=0.4, colour=0.2, **mix)
    for batch, targets in batches:
        assert batch.dtype == targets.dtype == np.float32
        assert batch.min() >= 0
        assert batch.max() <= 255
        assert targets.min() >= 0
        np.testing.assert_allclose(targets.sum(1), 1, atol=1e-6)
    pure = [(targets == targets.astype(bool)).all() for _, targets in batches]
    assert all(pure) if not mix else not all(pure)
    for start in range(0, len(batches), 2):  # every photo weighs the same, mixed or not
        if not mix:
            np.testing.assert_allclose(sum(targets.sum(0) for _, targets in batches[start : start + 2]), 1)


def drawn(part: Path, seed: int, **options: Any) -> tuple[Any, ...]:
    return cuts(part, **options).draw(ROWS, np.random.default_rng(seed), 0)


def test_crops_stay_inside_the_photo_and_within_the_bounds_of_their_area(part: Path) -> None:
    """Where the corners of a batch's pixels come from, in shares of the photo's side."""
    transforms = np.concatenate([drawn(part, seed, area=[0.2, 0.6])[2] for seed in range(60)]).astype(float)
    a, b, c, d, e, f, *_ = transforms.T
    assert not b.any()
    assert not d.any()
    across, down = ((np.outer([-0.5, 31.5], scale) + start + 0.5) / SIZE for scale, start in ((a, c), (e, f)))
    for edges in (across, down):
        assert edges.min() >= -1e-5
        assert edges.max() <= 1 + 1e-5
    areas = np.abs(across[1] - across[0]) * (down[1] - down[0])
    assert areas.min() >= 0.2 - 1e-5
    assert areas.max() <= 0.6 + 1e-5
    # Four standard deviations of a fair coin.
    assert abs((a < 0).mean() - 0.5) < 2 / np.sqrt(len(a))


def batch_of(made: Augmentation, seed: int) -> np.ndarray:
    return made.prepare(*map(tf.constant, made.draw(ROWS, np.random.default_rng(seed), 0)))[0].numpy()


def test_photos_are_spoilt_anew_in_each_step_and_the_same_for_each_seed(part: Path) -> None:
    still = {"sizes": (SIZE,), "area": [1.0, 1.0], "aspect": 1.0, "flip": False}
    plain = batch_of(cuts(part, **still), 0)
    np.testing.assert_array_equal(plain, pixels.Pixels([part])[ROWS])
    made = cuts(part, corruptions=["noise-0.1"], **still)
    first, again, other = (batch_of(made, seed) for seed in (0, 0, 1))
    np.testing.assert_array_equal(first, again)
    inside = (plain > 60) & (plain < 195)  # what no noise clips
    assert (first - plain)[inside].std() == pytest.approx(25.5, rel=0.1)
    assert np.corrcoef((first - plain)[inside], (other - plain)[inside])[0, 1] < 0.1
    # One of several for each photo; `plain` leaves it as it is.
    some = batch_of(cuts(part, corruptions=["plain", "brightness-0.5"], **still), 2)
    dark = np.isclose(some.mean((1, 2, 3)), plain.mean((1, 2, 3)) / 2, atol=1)
    assert (dark | (some == plain).all((1, 2, 3))).all()
    assert 0 < dark.sum() < COUNT


def test_whole_photos_are_moved_by_up_to_a_share_and_scaled_both_ways(part: Path) -> None:
    made = cuts(part, sizes=(SIZE,), area=[0.8, 1.2], aspect=1.0, shift=0.1, flip=False)
    drawn = np.concatenate([made.draw(ROWS, np.random.default_rng(seed), 0)[2] for seed in range(60)])
    across, _, left, _, down, top = drawn.T.astype(float)[:6]
    np.testing.assert_allclose(across, down, rtol=1e-5)
    assert np.sqrt(0.8) - 1e-5 <= across.min() < 0.92
    assert 1.07 < across.max() <= np.sqrt(1.2) + 1e-5
    for corner in (left, top):
        moved = (corner + 0.5 - across / 2) / SIZE  # the outcome's first edge
        room = np.sort([np.zeros(len(moved)), 1 - across], axis=0)
        assert (moved >= room[0] - 0.1 - 1e-5).all()
        assert (moved <= room[1] + 0.1 + 1e-5).all()
        assert moved.std() > 0.05


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 10**6), side=st.sampled_from([32, 37, 48]), alpha=st.sampled_from([0.2, 1.0]))
def test_the_target_of_a_cutmix_is_the_share_of_pixels_that_were_replaced(
    part: Path, seed: int, side: int, alpha: float
) -> None:
    """Photos of one colour each, so that every pixel tells whose it is, to a level of grey."""
    made = cuts(part, sizes=(side,), cutmix=alpha)
    _, _, transforms, gains, region, *rest = made.draw(ROWS, np.random.default_rng(seed), 0)
    colours = np.arange(COUNT, dtype=np.uint8) * 10
    plain = np.broadcast_to(colours[:, None, None, None], (COUNT, SIZE, SIZE, 3))
    given = [tf.constant(each) for each in (plain, np.int32(side), transforms, gains, region, *rest)]
    batch, mixed = (each.numpy() for each in made.prepare(*given))
    replaced = np.abs(batch[:, :, :, 0] - colours[::-1, None, None]) < 2
    assert (replaced | (np.abs(batch[:, :, :, 0] - colours[:, None, None]) < 2)).all()
    share = mixed[np.arange(COUNT), ROWS[::-1]]
    np.testing.assert_allclose(replaced.mean((1, 2)), share, atol=1e-5)
    np.testing.assert_allclose(mixed[np.arange(COUNT), ROWS], 1 - share, atol=1e-5)
    # The region is the drawn one, to within a row of pixels.
    drawn_area = float((region[2] - region[0]) * (region[3] - region[1]))
    assert abs(share[0] - drawn_area) <= 2 / side
    one = replaced[0]
    assert one.sum() == one.any(0).sum() * one.any(1).sum()  # a rectangle


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 10**6))
def test_a_mixup_is_the_mean_of_two_photos_with_the_weights_of_their_targets(part: Path, seed: int) -> None:
    made, alone = cuts(part, mixup=0.4), cuts(part)
    given = made.draw(ROWS, np.random.default_rng(seed), 0)
    cut = alone.prepare(*map(tf.constant, given))[0].numpy()
    batch, mixed = (each.numpy() for each in made.prepare(*map(tf.constant, given)))
    share = mixed[np.arange(COUNT), ROWS[::-1]]
    assert (share == share[0]).all()
    assert 0 <= share[0] <= 0.5
    np.testing.assert_allclose(batch, (1 - share[0]) * cut + share[0] * cut[::-1], atol=1e-2)


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 10**6), light=st.sampled_from([0.0, 0.2, 0.9]), colour=st.sampled_from([0.0, 0.15]))
def test_light_and_colour_change_by_what_was_drawn_and_nothing_else_does(
    part: Path, seed: int, light: float, colour: float
) -> None:
    """Contrast is about each colour's own mean, so that none fades; then each colour has its brightness."""
    made = cuts(part, light=light, colour=colour)
    stored, side, transforms, gains, *rest = made.draw(ROWS, np.random.default_rng(seed), 0)
    changed, still = (
        made.prepare(*map(tf.constant, (stored, side, transforms, each, *rest)))[0].numpy()
        for each in (gains, np.ones_like(gains))
    )
    assert np.abs(gains[:, 0] - 1).max() <= light + 1e-6
    brightness = gains[:, 1:].astype(float)
    assert brightness.max() <= (1 + light) * (1 + colour) + 1e-6
    assert brightness.min() >= (1 - light) * (1 - colour) - 1e-6
    ratios = brightness.max(1) / brightness.min(1)
    assert ratios.max() <= (1 + colour) / (1 - colour) + 1e-6
    for number, photo_ in enumerate(still):
        mean = photo_.mean((0, 1))
        by_hand = np.clip(((photo_ - mean) * gains[number, 0] + mean) * brightness[number], 0, 255)
        np.testing.assert_allclose(changed[number], by_hand, atol=0.05)


def test_whole_photos_at_their_own_size_are_the_photos_their_mirror_images_or_turned(part: Path) -> None:
    made = cuts(part, sizes=(SIZE,))
    stored, side, _, *rest = made.draw(ROWS, np.random.default_rng(0), 0)
    np.testing.assert_array_equal(stored, pixels.Pixels([part])[ROWS])
    plain, mirrored = [0.0, 0.0, 1.0, 1.0], [0.0, 1.0, 1.0, 0.0]
    for box, turn, expected in [
        (plain, 0.0, stored),
        (mirrored, 0.0, stored[:, :, ::-1]),
        (plain, 0.5, stored[:, ::-1, ::-1]),
        (plain, 0.25, np.rot90(stored, 1, (1, 2))),
        (mirrored, -0.25, np.rot90(stored[:, :, ::-1], 1, (1, 2))),
    ]:
        transforms = views.transforms(np.tile(box, (COUNT, 1)), np.full(COUNT, turn), SIZE, SIZE)
        batch = made.prepare(*map(tf.constant, (stored, side, transforms, *rest)))[0].numpy()
        np.testing.assert_allclose(batch, expected.astype(np.float32), atol=0.05)


def test_a_turned_crop_shows_what_tensorflow_s_own_cut_shows_about_its_centre(part: Path) -> None:
    """Without a turn, the cut is that of `crop_and_resize`, whose pixels lie on corners, to within a pixel's step."""
    smooth = np.linspace(0, 255, SIZE, dtype=np.float32)
    stored = np.zeros((2, SIZE, SIZE, 3), np.uint8)
    stored[0], stored[1] = smooth[:, None, None], smooth[None, :, None]
    boxes = np.array([[0.1, 0.2, 0.7, 0.9], [0.1, 0.9, 0.7, 0.2]])
    made = cuts(part)
    neutral = (np.ones((2, 4), np.float32), np.zeros(4, np.float32), np.float32(0))
    targets = np.eye(2, COUNT, dtype=np.float32)
    transforms = views.transforms(boxes, np.zeros(2), SIZE, 32)
    batch = made.prepare(*map(tf.constant, (stored, np.int32(32), transforms, *neutral, targets)))[0].numpy()
    expected = tf.image.crop_and_resize(stored, boxes.astype(np.float32), [0, 1], [32, 32]).numpy()
    assert np.abs(batch - expected).max() < 255 / SIZE * 1.5
