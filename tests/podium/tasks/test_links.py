"""The losses are Keras's, their slopes those that differences give, and temperatures divide logits."""

import numpy as np
import pytest
from sklearn.metrics import f1_score, jaccard_score

from podium.tasks.dense_links import SoftmaxOfPixels
from podium.tasks.links import HUBER, Identity, Link, Sigmoid, Softmax

LINKS = {
    "softmax": Softmax(),
    "sigmoid": Sigmoid(),
    "squared": Identity(robust=False),
    "absolute": Identity(robust=True),
}
# How many times the sum over the outputs Keras's loss is, of three outputs.
SHARES = {"softmax": 1, "sigmoid": 1 / 3, "squared": 2 / 3, "absolute": 1 / 3}
NONE = np.ones(3, np.float32)


@pytest.fixture(params=LINKS)
def name(request: pytest.FixtureRequest) -> str:
    return request.param


def drawn(name: str, photos: int = 40, dtype: type = np.float64) -> tuple[np.ndarray, np.ndarray]:
    """Targets, soft ones too, and logits, some of them far off."""
    random = np.random.default_rng(0)
    logits = random.normal(size=(photos, 3)) * random.choice([0.05, 1, 20], size=(photos, 1))
    targets = {"softmax": random.dirichlet(np.ones(3) / 3, photos), "sigmoid": random.random((photos, 3)).round(1)}
    return targets.get(name, random.normal(size=logits.shape)).astype(dtype), logits.astype(dtype)


def test_the_loss_is_keras_s(name: str) -> None:
    targets, logits = drawn(name, dtype=np.float32)
    expected = float(LINKS[name].loss(0.0, NONE)(targets, logits))
    assert LINKS[name].losses(targets, logits).mean() * SHARES[name] == pytest.approx(expected, rel=1e-5)


def test_the_errors_are_the_loss_s_slopes(name: str) -> None:
    link, step = LINKS[name], 1e-6
    targets, logits = drawn(name)
    for output in range(3):
        moved = step * (np.arange(3) == output)
        slopes = (link.losses(targets, logits + moved) - link.losses(targets, logits - moved)) / (2 * step)
        np.testing.assert_allclose(link.errors(targets, logits.copy())[:, output], slopes, atol=1e-6)


def test_a_loss_changes_neither_targets_nor_logits(name: str) -> None:
    """The head's solver asks for both of the same arrays."""
    targets, logits = drawn(name)
    before = targets.copy(), logits.copy()
    LINKS[name].losses(targets, logits)
    LINKS[name].errors(targets, logits)
    np.testing.assert_array_equal(targets, before[0])
    np.testing.assert_array_equal(logits, before[1])


def test_predictions_are_keras_s_activation(name: str) -> None:
    import keras

    _, logits = drawn(name, dtype=np.float32)
    found = LINKS[name].predictions(logits)
    np.testing.assert_allclose(found, keras.activations.get(LINKS[name].activation)(logits), atol=1e-6)


def test_a_small_error_counts_by_its_square_and_a_large_one_by_itself() -> None:
    errors = np.array([[0.0], [HUBER / 2], [HUBER], [1.0], [-2.0]])
    found = LINKS["absolute"].losses(np.zeros_like(errors), errors)
    np.testing.assert_allclose(found, [0, HUBER**2 / 8, HUBER**2 / 2, HUBER * (1 - HUBER / 2), HUBER * (2 - HUBER / 2)])


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_weights_count_as_much_in_keras_s_loss_as_in_the_head_s(smoothing: float) -> None:
    """Also of mixed photos, which are partly of one class and partly of another."""
    link, weights = LINKS["softmax"], np.array([0.25, 1, 3], np.float32)
    targets, logits = drawn("softmax", dtype=np.float32)
    counts = link.weighted(targets, weights)
    np.testing.assert_allclose(counts, (targets * weights).sum(1), rtol=1e-6)
    losses = link.losses(targets * (1 - smoothing) + np.float32(smoothing / 3), logits)
    assert float(link.loss(smoothing, weights)(targets, logits)) == pytest.approx((losses * counts).mean(), rel=1e-5)
    same = float(link.loss(smoothing, NONE * 2)(targets, logits))
    assert float(link.loss(smoothing, NONE)(targets, logits)) == pytest.approx(same / 2)


def test_only_classes_that_exclude_each_other_have_weights(name: str) -> None:
    targets, logits = drawn(name, dtype=np.float32)
    link, weights = LINKS[name], np.array([0.25, 1, 3], np.float32)
    assert link.weighted(targets, NONE) is None
    if not link.exclusive:
        assert link.weighted(targets, weights) is None
        assert float(link.loss(0.0, weights)(targets, logits)) == float(link.loss(0.0, NONE)(targets, logits))


def test_a_temperature_divides_the_logits_and_one_leaves_every_bit(name: str) -> None:
    link, logits = LINKS[name], np.random.default_rng(1).normal(size=(50, 3)).astype(np.float32)
    predictions = link.predictions(logits)
    np.testing.assert_array_equal(link.tempered(predictions, 1.0), predictions)
    each = np.linspace(0.5, 2, 50, dtype=np.float32)[:, None]
    for temperature in (2.5, each):
        wanted = predictions if link.scaled_targets else link.predictions(logits / temperature)
        np.testing.assert_allclose(link.tempered(predictions, temperature), wanted, atol=1e-6)


@pytest.mark.parametrize("link", [LINKS["softmax"], LINKS["sigmoid"]])
def test_a_temperature_keeps_the_order_and_makes_certain_ones_no_nan(link: Link) -> None:
    sure = np.array([[1, 0, 0], [0, 1, 0], [0.5, 0.5, 0]], np.float32)
    for temperature in (0.2, 3.0):
        found = link.tempered(sure, temperature)
        assert np.isfinite(found).all()
        assert (found[:, :2].argmax(1) == [0, 1, 0]).all()


def test_what_overlap_lacks_is_counted_of_pixels_that_have_a_class() -> None:
    """Of sure answers, Lovász's extension is what the mean intersection over union of the classes there are lacks."""
    random = np.random.default_rng(0)
    truth, said = (random.integers(0, 3, (2, 6, 5)).repeat(4, 1).repeat(4, 2) for _ in range(2))
    void = np.kron(random.random((2, 6, 5)) < 0.2, np.ones((1, 4, 4), bool)).astype(bool)
    targets = ((truth[..., None] == np.arange(4)) & ~void[..., None]).astype(np.float32)
    sure = np.where(said[..., None] == np.arange(4), 60, 0).astype(np.float32)
    ones = np.ones(4, np.float32)
    plain, iou, dice = (
        float(SoftmaxOfPixels(4, kind).loss(0.0, ones)(targets, sure)) for kind in (None, "iou", "dice")
    )
    assert iou - plain == pytest.approx(1 - jaccard_score(truth[~void], said[~void], average="macro"), abs=1e-5)
    shares = f1_score(truth[~void], said[~void], average=None)
    assert dice - plain == pytest.approx(1 - (shares.sum() + 1) / 4, abs=1e-3)
    right = np.where(targets > 0, 60, 0).astype(np.float32)
    assert float(SoftmaxOfPixels(4, "iou").loss(0.0, ones)(targets, right)) == pytest.approx(0, abs=1e-5)
