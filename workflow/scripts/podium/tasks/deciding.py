"""How answers are best made of predictions, from photos whose truth is known. No TensorFlow.

`worth` says how good answers to all these photos are: more is better. What is best for these photos is worse for
others, so what is chosen is the mean of what is best for random halves of them (subagging: Bühlmann and Yu, "Analyzing
bagging", 2002), drawn towards the plain choice by how much the halves differ (half of what James and Stein's estimate
draws it, 1961). On photos that decided nothing this beats the single best choice nearly everywhere. Results are plain
types.
"""

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

STEPS = 64  # candidates for a threshold, at most
CUT_STEPS = 24  # and for one of several cuts
HALVES, FEWEST_HALVES = 16, 4
ANSWERS = 2_000_000  # in all halves together; more photos differ less
STRENGTHS = [number / 8 for number in range(17)]  # of the correction for the classes' frequencies; 1 removes them
WAY = [number / 8 for number in range(13)]  # from the plain cuts, 0, to those that reproduce the frequencies, 1
ROUNDS = 50  # in which offsets settle, at most

Array = NDArray[Any]
Bools = NDArray[np.bool_]
Ints = NDArray[np.int64]
Floats = NDArray[np.floating[Any]]


def offsets(truth: Ints, probabilities: Floats, worth: Callable[[Ints], float]) -> list[float]:
    """What is added to the log-probabilities, [n, classes], before the likeliest class is taken; 0 is plain.

    The truth is the class's number, int [n], or -1. What `_leanings` finds, and -tau * log(the class's frequency) with
    the best tau: Menon et al., "Long-tail learning via logit adjustment", 2021. Steps for single classes, chosen by
    their worth, lose more on other photos than they gain.
    """
    logs = np.log(np.maximum(probabilities, np.finfo(np.float32).tiny))
    known = truth >= 0
    leanings = _leanings(truth[known], logs[known])
    counts = np.bincount(truth[known], minlength=len(leanings)) + 1
    rarity = np.log(counts.max() / counts)

    def answers(strength: float) -> Ints:
        return (logs + (leanings + strength * rarity).astype(np.float32)).argmax(1)

    return [float(each) for each in leanings + _steady(STRENGTHS, 0.0, answers, worth) * rarity]


def threshold(truth: Bools, probability: Floats, worth: Callable[[Bools], float]) -> float:
    """The probability, [n], above which a photo is positive; one half is plain."""
    return _steady(_steps(truth, probability), 0.5, lambda most: probability > most, worth)


def least(truth: Ints, probabilities: Floats, worth: Callable[[Ints], float]) -> float:
    """The probability below which a photo's likeliest class, of [n, classes], is not its answer, but -1; 0 is plain."""
    if (truth >= 0).all():
        return 0.0
    likeliest, highest = probabilities.argmax(1), probabilities.max(1)
    steps = _thinned(_middles(np.unique(highest)), STEPS)
    return _steady(steps, 0.0, lambda lowest: np.where(highest < lowest, -1, likeliest), worth)


def common_threshold(truth: Bools, probabilities: Floats, worth: Callable[[Bools], float]) -> tuple[float, int]:
    """The probability above which a photo has a label, of [n, labels], and whether each has one at least (1) or not.

    One half and 0 are plain.
    """
    steps = _steps(truth, probabilities)

    def answers(most: float, one: int) -> Bools:
        said = probabilities > most
        if one:
            said[np.arange(len(said)), probabilities.argmax(1)] = True
        return said

    either, one = (_steady(steps, 0.5, partial(answers, one=one), worth) for one in (0, 1))
    plain, other = answers(either, 0), answers(one, 1)
    gains = np.array([worth(_mixed(half, other, plain)) for half in _halves(plain)]) - worth(plain)
    return (one, 1) if gains.mean() > gains.std() else (either, 0)


def label_thresholds(truth: Bools, probabilities: Floats, beta: float) -> list[float]:
    """The probability above which a photo has each label, of [n, labels], for the mean F-beta of the labels.

    The plain choice is the best common threshold, to which labels that are rare fall back.
    """
    halves = np.array(list(_halves(truth)))
    steps = np.array(_nearest_first(_steps(truth, probabilities), 0.5))
    reached = np.zeros((len(halves), len(steps)))
    for has, own in zip(truth.T, probabilities.T, strict=False):
        bounds, figures = _label_curve(has, own, halves, beta)
        reached += figures[:, np.searchsorted(-bounds, -steps, side="left") - 1]
    common = float(_drawn(steps[reached.argmax(1)], 0.5))
    found = []
    for has, own in zip(truth.T, probabilities.T, strict=False):
        bounds, figures = _label_curve(has, own, halves, beta)
        middles = (bounds + np.append(bounds[1:], 0)) / 2
        middles[np.searchsorted(-bounds, -common, side="left") - 1] = common  # which gives the same answers
        nearest = np.argsort(abs(middles - common), kind="stable")
        found.append(float(_drawn(middles[nearest][figures[:, nearest].argmax(1)], common)))
    return found


def cuts(truth: Ints, expected: Floats, worth: Callable[[Ints], float]) -> list[float]:
    """The expected grades, [n], above which a grade is at least 1, 2, …, k, in ascending order; plain is 0.5, 1.5, …

    The truth is the grade's place, 0 to k. First the best point on the way from the plain cuts to those by which the
    grades are as frequent as in the truth; then a step for each cut. The answer is `np.searchsorted(cuts, expected)`.
    """
    highest = int(truth.max())
    plain = np.arange(highest) + 0.5
    frequent = np.quantile(expected, np.cumsum(np.bincount(truth))[:-1] / len(truth))

    def along(share: float) -> Floats:
        return np.maximum.accumulate(plain + share * (frequent - plain))

    start = along(_steady(WAY, 0.0, lambda share: np.searchsorted(along(share), expected), worth))
    best = _searched(start, expected, worth)
    answers = np.searchsorted(best, expected)

    def searched(half: Bools) -> Floats:
        return _searched(best, expected, lambda said: worth(_mixed(half, said, answers)))

    found = np.array([searched(half) for half in _halves(answers)])
    return [float(cut) for cut in np.maximum.accumulate(_drawn(found, start))]


def shift(truth: Floats, answer: Floats) -> list[float]:
    """What is added to answers, [n, columns], so that their absolute error is least: the median of what they lack.

    It is drawn towards 0, as James and Stein would, by its standard error, which the order statistics tell.
    """
    lacks = np.sort(truth - answer, 0)
    around = 0.5 + np.array([-0.5, 0.5]) / np.sqrt(len(lacks))
    low, high = np.quantile(lacks, np.clip(around, 0, 1), axis=0)
    middle = np.median(lacks, 0)
    return [float(each) for each in middle * _share(middle, ((high - low) / 2) ** 2)]


def _leanings(truth: Ints, logs: Floats) -> Floats:
    """What is added to the log-probabilities so that classes are foretold as often as they occur; 0 unless it is clear.

    Maximum likelihood with a normal prior, whose variance is what the gaps have beyond that of chance: DerSimonian and
    Laird, "Meta-analysis in clinical trials", 1986. Chance is what the probabilities or the errors say, the larger.
    """
    from scipy.optimize import minimize  # half a second, for which no other step should wait

    counts = np.bincount(truth, minlength=logs.shape[1])
    plain = np.zeros(logs.shape[1])
    foretold = np.exp(logs - _log_sums(logs))
    expected, spread = foretold.sum(0, dtype=np.float64), (foretold * (1 - foretold)).sum(0, dtype=np.float64)
    errors = ((np.arange(len(plain)) == truth[:, None]) - foretold) ** 2
    chance = np.maximum(np.maximum(spread, errors.sum(0, dtype=np.float64)), np.finfo(float).tiny)
    excess = ((counts - expected) ** 2 / chance).sum() - len(counts)
    if excess <= 0:
        return plain
    penalty = spread.sum() / excess

    def loss(added: Floats) -> tuple[float, Floats]:
        moved = logs + added.astype(np.float32)
        sums = _log_sums(moved)
        slopes = np.exp(moved - sums).sum(0, dtype=np.float64) - counts + penalty * added
        return sums.sum(dtype=np.float64) - added @ counts + penalty / 2 * added @ added, slopes

    return minimize(loss, plain, jac=True, method="L-BFGS-B", options={"maxiter": ROUNDS}).x


def _log_sums(logs: Floats) -> Floats:
    """The logarithm of the sum of each row's powers of e, [n, 1]."""
    highest = logs.max(1, keepdims=True)
    return highest + np.log(np.exp(logs - highest).sum(1, keepdims=True))


def _steady(
    steps: Sequence[float], plain: float, answers: Callable[[float], Array], worth: Callable[[Array], float]
) -> float:
    """The step that is best for halves of the photos, on average, drawn towards the plain one.

    The other half is answered in the way that is best for all; of equally good steps the nearest to the plain one is
    taken.
    """
    ordered = _nearest_first(steps, plain)
    best = answers(max(ordered, key=lambda step: worth(answers(step))))
    halves = list(_halves(best))
    reached = [[worth(_mixed(half, made, best)) for half in halves] for made in map(answers, ordered)]
    return float(_drawn(np.array(ordered)[np.argmax(reached, 0)], plain))


def _nearest_first(steps: Sequence[float], plain: float) -> list[float]:
    return sorted({*steps, plain}, key=lambda step: (abs(step - plain), step))


def _halves(answers: Array) -> Iterator[Bools]:
    """Random halves of the photos that have these answers, each bool [n]: the same ones each time."""
    random = np.random.default_rng(0)
    for _ in range(int(np.clip(ANSWERS // answers.size, FEWEST_HALVES, HALVES))):
        yield random.integers(0, 2, len(answers), dtype=bool)


def _mixed(half: Bools, made: Array, others: Array) -> Array:
    """These answers for one half, others for the other."""
    return np.where(half if made.ndim == 1 else half[:, None], made, others)


def _drawn(chosen: Floats, plain: float | Floats) -> Floats:
    """The mean of the halves' choices, [halves] or [halves, choices], drawn towards the plain one."""
    gap = chosen.mean(0) - plain
    return plain + gap * _share(gap, chosen.var(0) / 2)


def _share(gap: Floats, variance: Floats) -> Floats:
    """How much of a gap to keep: 1 less the part of its square that is the variance, at least 0."""
    return 1 - np.minimum(variance / np.maximum(gap**2, np.finfo(float).tiny), 1)


def _steps(truth: Bools, probabilities: Floats) -> list[float]:
    """Thresholds by which up to some four times as many are positive as in the truth."""
    values = np.unique(probabilities.ravel())[-4 * int(truth.sum()) - STEPS :]
    return _thinned(_middles(values), STEPS)


def _middles(ordered: Floats) -> Floats:
    exact = ordered.astype(np.float64)
    return (exact[1:] + exact[:-1]) / 2


def _thinned(steps: Floats, most: int) -> list[float]:
    """At most so many of these, evenly spaced in their order."""
    places = np.linspace(0, len(steps) - 1, min(most, len(steps))).round().astype(int)
    return [float(each) for each in steps[places]]


def _label_curve(has: Bools, own: Floats, halves: Bools, beta: float) -> tuple[Floats, Floats]:
    """F-beta of one label, [halves, bounds], for each threshold from a bound, [bounds], down to above the next.

    The bounds are 1 and the probabilities that occur, the highest first. At 1 no photo has the label.
    """
    order = np.argsort(-own)
    ordered = own[order].astype(np.float64)
    last = np.flatnonzero(np.append(ordered[1:] != ordered[:-1], True))
    said = halves[:, order].cumsum(1)[:, last]
    hits = (halves & has)[:, order].cumsum(1)[:, last]
    figures = (1 + beta**2) * hits / np.maximum(beta**2 * hits[:, -1:] + said, 1)
    return np.append(1.0, ordered[last]), np.pad(figures, [(0, 0), (1, 0)])


def _searched(start: Floats, expected: Floats, worth: Callable[[Ints], float]) -> Floats:
    """Cuts, each in its turn moved between its neighbours to where it is worth most; none moves without a gain."""
    found = start.copy()
    ordered = np.unique(expected)
    for place in range(len(found)):
        low, high = np.append(-np.inf, found)[place], np.append(found, np.inf)[place + 1]
        steps = _thinned(_middles(ordered[(ordered > low) & (ordered < high)]), CUT_STEPS)

        def moved(cut: float, place: int = place) -> float:
            return worth(np.searchsorted(np.r_[found[:place], cut, found[place + 1 :]], expected))

        found[place] = max(_nearest_first(steps, float(found[place])), key=moved)
    return found
