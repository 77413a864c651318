"""What some photos decide is better than the plain answer for others, and plain where nothing is to be gained."""

import json

import numpy as np
import pytest

from podium.tasks import deciding, metrics

LABELS = 12


def classes(seed: int, photos: int, tail: float, bias: float = 0.0) -> tuple[np.ndarray, np.ndarray]:
    """Twelve classes of which class k is k+1 times to the power of `tail` rarer than the first; probabilities are
    exact but for the classes' biases."""
    random, same = np.random.default_rng(seed), np.random.default_rng(99)
    shares = np.arange(1, LABELS + 1.0) ** -tail
    truth = random.choice(LABELS, photos, p=shares / shares.sum())
    logits = random.normal(size=(photos, LABELS))
    logits[np.arange(photos), truth] += 2
    logits = 2 * logits + np.log(shares) + bias * same.normal(size=LABELS)
    powers = np.exp(logits - logits.max(1, keepdims=True))
    return truth, (powers / powers.sum(1, keepdims=True)).astype(np.float32)


def labels(seed: int, photos: int, rates: np.ndarray, skill: float = 2.0) -> tuple[np.ndarray, np.ndarray]:
    """Labels of these rates, each with exact probabilities."""
    random = np.random.default_rng(seed)
    truth = random.random((photos, len(rates))) < rates
    logits = skill * (random.normal(size=truth.shape) + skill * (truth - 0.5)) + np.log(rates / (1 - rates))
    return truth, (1 / (1 + np.exp(-logits))).astype(np.float32)


def grades(seed: int, photos: int) -> tuple[np.ndarray, np.ndarray]:
    """Grades with a long tail, and what a regression expects of them, which is nearer to their mean."""
    random = np.random.default_rng(seed)
    truth = random.choice(5, photos, p=[0.5, 0.1, 0.25, 0.07, 0.08])
    return truth, 1.13 + 0.7 * (truth + 0.8 * random.normal(size=photos) - 1.13)


def answered(probabilities: np.ndarray, added: list[float]) -> np.ndarray:
    return (np.log(probabilities) + added).argmax(1)


def macro_f1(truth: np.ndarray, answer: np.ndarray) -> float:
    return metrics.f_classes(truth, answer, 1, "macro")


@pytest.mark.parametrize(
    ("figure", "tail", "bias", "gain"),
    [(metrics.balanced_accuracy, 1.5, 0.0, 0.05), (macro_f1, 0.5, 0.8, 0.03), (metrics.accuracy, 0.5, 0.8, 0.03)],
)
def test_offsets_gain_on_other_photos(figure, tail: float, bias: float, gain: float) -> None:
    gains = []
    for seed in range(3):
        truth, probabilities = classes(seed, 400, tail, bias)
        found = deciding.offsets(truth, probabilities, lambda answer, truth=truth: figure(truth, answer))
        assert json.loads(json.dumps(found)) == found
        others, given = classes(seed + 100, 4000, tail, bias)
        gains.append(figure(others, answered(given, found)) - figure(others, given.argmax(1)))
    assert np.mean(gains) > gain


def test_offsets_lose_little_where_nothing_is_to_be_gained() -> None:
    others, given = classes(100, 4000, 0.0)
    changed, lost = [], []
    for seed in range(5):
        truth, probabilities = classes(seed, 300, 0.0)
        found = deciding.offsets(truth, probabilities, lambda answer, truth=truth: macro_f1(truth, answer))
        answer = answered(given, found)
        changed.append((answer != given.argmax(1)).mean())
        lost.append(macro_f1(others, given.argmax(1)) - macro_f1(others, answer))
    assert np.mean(changed) < 0.03
    assert np.mean(lost) < 0.002


def test_offsets_of_sure_and_right_probabilities_are_none() -> None:
    truth = np.repeat(np.arange(3), [60, 20, 5])
    probabilities = np.where(truth[:, None] == np.arange(3), 0.998, 0.001).astype(np.float32)
    found = deciding.offsets(truth, probabilities, lambda answer: macro_f1(truth, answer))
    assert found == [0, 0, 0]


def test_classes_that_are_foretold_too_often_are_so_no_more() -> None:
    """The log loss on other photos says so; a photo of no class does not count."""
    truth, probabilities = classes(0, 800, 0.0, 1.0)
    truth[:10] = -1
    added = deciding.offsets(truth, probabilities, lambda _: 0.0)
    others, given = classes(1, 4000, 0.0, 1.0)
    corrected = given * np.exp(added)
    corrected /= corrected.sum(1, keepdims=True)
    rows = np.arange(len(others))
    assert np.log(corrected[rows, others]).mean() > np.log(given[rows, others]).mean() + 0.1
    counts = np.bincount(others, minlength=LABELS)
    assert abs(corrected.sum(0) - counts).sum() < abs(given.sum(0) - counts).sum() / 3


def test_a_threshold_finds_rare_positives_on_other_photos() -> None:
    gains = []
    for seed in range(5):
        truth, probabilities = (each[:, 0] for each in labels(seed, 300, np.array([0.1])))
        most = deciding.threshold(truth, probabilities, lambda said, truth=truth: metrics.f_positive(truth, said, 2))
        others, given = (each[:, 0] for each in labels(seed + 100, 5000, np.array([0.1])))
        gains.append(metrics.f_positive(others, given > most, 2) - metrics.f_positive(others, given > 0.5, 2))
    assert np.mean(gains) > 0.1
    assert min(gains) > 0


@pytest.mark.parametrize("positives", [0, 1, 20])
def test_of_equally_good_thresholds_the_plain_one_is_taken(positives: int) -> None:
    truth = np.arange(40) < positives
    probability = np.where(truth, 0.9, 0.1).astype(np.float32)
    assert deciding.threshold(truth, probability, lambda said: metrics.f_positive(truth, said, 1)) == 0.5


def test_photos_of_no_class_are_told_by_a_low_probability() -> None:
    def some(seed: int, photos: int) -> tuple[np.ndarray, np.ndarray]:
        truth, probabilities = classes(seed, photos, 0.0)
        truth[::3] = -1  # what looks least like any class
        probabilities[::3] = np.sqrt(np.roll(probabilities[::3], 1, 1) * probabilities[::3])
        return truth, probabilities / probabilities.sum(1, keepdims=True)

    def answer(probabilities: np.ndarray, lowest: float) -> np.ndarray:
        return np.where(probabilities.max(1) < lowest, -1, probabilities.argmax(1))

    truth, probabilities = some(0, 300)
    lowest = deciding.least(truth, probabilities, lambda said: metrics.accuracy(truth, said))
    others, given = some(1, 3000)
    assert metrics.accuracy(others, answer(given, lowest)) > metrics.accuracy(others, answer(given, 0)) + 0.05
    known = np.maximum(truth, 0)
    assert deciding.least(known, probabilities, lambda said: metrics.accuracy(known, said)) == 0


def test_a_common_threshold_gains_on_other_photos() -> None:
    rates = np.geomspace(0.3, 0.02, LABELS)
    truth, probabilities = labels(0, 200, rates)
    most, _ = deciding.common_threshold(truth, probabilities, lambda said: metrics.f_labels(truth, said, 2, "micro"))
    others, given = labels(1, 4000, rates)
    gain = [metrics.f_labels(others, given > each, 2, "micro") for each in (most, 0.5)]
    assert gain[0] > gain[1] + 0.05


@pytest.mark.parametrize("each_has_one", [0, 1])
def test_a_photo_is_given_one_label_at_least_where_each_has_one(each_has_one: int) -> None:
    random = np.random.default_rng(0)
    truth = np.eye(LABELS, dtype=bool)[random.integers(0, LABELS, 300)]
    if not each_has_one:
        truth[::2] = False
    logits = random.normal(size=truth.shape) + 4 * truth - 4
    probabilities = (1 / (1 + np.exp(-logits))).astype(np.float32)
    found = deciding.common_threshold(truth, probabilities, lambda said: metrics.f_samples(truth, said, 1))
    assert found[1] == each_has_one
    assert json.loads(json.dumps(found)) == list(found)


def test_the_common_threshold_of_sure_and_right_probabilities_is_one_half() -> None:
    truth, _ = labels(0, 50, np.full(3, 0.4))
    probabilities = np.where(truth, 0.9, 0.05).astype(np.float32)
    assert deciding.common_threshold(truth, probabilities, lambda said: metrics.f_samples(truth, said, 1)) == (0.5, 0)
    assert deciding.label_thresholds(truth, probabilities, 1) == [0.5] * 3


def test_thresholds_of_labels_gain_over_a_common_one_on_other_photos() -> None:
    rates, skills = np.geomspace(0.5, 0.02, LABELS), np.linspace(3, 1, LABELS)
    gains = []
    for seed in range(3):
        truth, probabilities = labels(seed, 600, rates, skills)
        own = deciding.label_thresholds(truth, probabilities, 1)
        common, _ = deciding.common_threshold(
            truth, probabilities, lambda said, truth=truth: metrics.f_labels(truth, said, 1, "macro")
        )
        others, given = labels(seed + 100, 5000, rates, skills)
        reached = [metrics.f_labels(others, given > each, 1, "macro") for each in (own, common, 0.5)]
        gains.append([reached[0] - reached[1], reached[0] - reached[2]])
    assert np.mean(gains, 0) == pytest.approx([0.02, 0.08], abs=0.02)
    assert np.min(gains) > 0


def test_a_label_without_photos_has_the_common_threshold() -> None:
    truth, probabilities = labels(0, 600, np.geomspace(0.5, 0.03, 4), np.array([4, 1, 1, 1]))
    truth[:, 1:3] = False
    found = deciding.label_thresholds(truth, probabilities, 1)
    assert found[1] == found[2] < 0.4
    assert found[0] > found[1] + 0.05
    assert deciding.label_thresholds(truth[:, 1:3], probabilities[:, 1:3], 1) == [0.5, 0.5]


@pytest.mark.parametrize("figure", [metrics.quadratic_kappa, macro_f1, metrics.accuracy])
def test_cuts_gain_on_other_photos(figure) -> None:
    truth, expected = grades(0, 300)
    found = deciding.cuts(truth, expected, lambda said: figure(truth, said))
    assert len(found) == 4
    assert found == sorted(found)
    assert json.loads(json.dumps(found)) == found
    others, foretold = grades(1, 5000)
    plain = figure(others, np.searchsorted([0.5, 1.5, 2.5, 3.5], foretold))
    assert figure(others, np.searchsorted(found, foretold)) > plain + 0.02


@pytest.mark.parametrize("noise", [0.0, 0.1])
def test_cuts_of_right_grades_are_plain(noise: float) -> None:
    truth = np.repeat(np.arange(4), [30, 5, 10, 5])
    expected = truth + noise * np.random.default_rng(0).uniform(-1, 1, len(truth))
    found = deciding.cuts(truth, expected, lambda said: metrics.quadratic_kappa(truth, said))
    assert found == [0.5, 1.5, 2.5]


def test_a_shift_is_the_median_of_what_answers_lack_where_that_is_clear() -> None:
    random = np.random.default_rng(0)
    lacks = np.column_stack([random.exponential(size=2000) - 1, random.normal(size=2000), np.zeros(2000)])
    skewed, even, none = deciding.shift(5 + lacks, np.full_like(lacks, 5.0))
    assert skewed == pytest.approx(np.log(2) - 1, abs=0.05)
    assert abs(even) < 0.6 * abs(np.median(lacks[:, 1])) + 1e-3
    assert none == 0
