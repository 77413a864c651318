"""Logistic and linear regression on more rows than memory holds. No TensorFlow.

The objective, the solver and where it stops are those of scikit-learn's LogisticRegression: the mean loss with an L2
penalty on the kernel, and L-BFGS. But scikit-learn holds all rows, and beneath it scipy, which computes in float64 and
with bounds, 35 copies of the kernel: 3.5 GB for 1,280 features and 10,000 classes, and 1.6 GB even with the shortest
memory. Here it is 1.4 GB.
"""

import math
from collections import deque
from collections.abc import Callable, Iterable

import numpy as np
from numpy.typing import NDArray

from podium.tasks.links import Link

TOLERANCE, ITERATIONS = 1e-3, 300  # the largest number in the gradient that is left; at most so many steps
CORRECTIONS = 10  # so many last steps give the curvature
DECREASE, FLATTER, TRIALS = 1e-3, 0.9, 20  # how much a step has to gain, and how flat to end; at most so many lengths

Floats = NDArray[np.float32]
Objective = Callable[[Floats], tuple[float, Floats]]
Step = tuple[Floats, Floats, float]  # how far, how the gradient changed, and the product of both


def solve(
    blocks: Callable[[], Iterable[tuple[Floats, Floats]]],
    shape: tuple[int, int],
    penalty: float,
    link: Link,
    weights: Floats,
) -> tuple[Floats, Floats, int]:
    """Kernel float32 [features, outputs], which is `shape`, bias [outputs], and how often all rows were read.

    Each call of `blocks` gives all rows once, block by block: features [n, features] and targets [n, outputs]. The loss
    is that of the link; `weights`, [outputs], say how much a row counts in which an output is true.
    """
    passes = 0

    def objective(parameters: Floats) -> tuple[float, Floats]:
        nonlocal passes
        kernel, bias = _unpacked(parameters, shape)
        loss, gradient, count = penalty / 2 * float(np.vdot(kernel, kernel)), parameters * np.float32(penalty), 0
        by_kernel, by_bias = _unpacked(gradient, shape)
        by_bias[:] = 0
        for features, targets in blocks():
            logits = features @ kernel + bias
            losses, error, count = link.losses(targets, logits), link.errors(targets, logits), count + len(features)
            if (counts := link.weighted(targets, weights)) is not None:
                losses, error = losses * counts, error * counts[:, None]
            loss += float(losses.sum(dtype=np.float64))
            by_kernel += features.T @ error
            by_bias += error.sum(0)
        passes += 1
        gradient /= count
        return loss / count, gradient

    kernel, bias = _unpacked(_minimum(objective, np.zeros((shape[0] + 1) * shape[1], np.float32)), shape)
    return kernel, bias, passes


def _unpacked(parameters: Floats, shape: tuple[int, int]) -> tuple[Floats, Floats]:
    """The kernel and the bias, which share memory with the parameters."""
    table = parameters.reshape(-1, shape[1])
    return table[:-1], table[-1]


def _minimum(objective: Objective, parameters: Floats) -> Floats:
    """Where a convex objective, which gives its value and gradient, is least: by L-BFGS, from `parameters` on.

    Nocedal and Wright, "Numerical optimization", 2006, algorithm 7.5.
    """
    steps: deque[Step] = deque(maxlen=CORRECTIONS)
    loss, gradient = objective(parameters)
    for _ in range(ITERATIONS):
        if np.abs(gradient).max() <= TOLERANCE:
            break
        step = _direction(gradient, steps)
        slope = float(np.vdot(gradient, step))
        for _ in range(TRIALS):
            reached, there = objective(parameters + step)
            factor = _factor(slope, reached - loss, float(np.vdot(there, step)))
            if factor == 1:
                break
            step, slope = step * np.float32(factor), slope * factor
        np.subtract(there, gradient, out=gradient)
        curvature = float(np.vdot(step, gradient))
        if reached >= loss or curvature <= 0:  # rounding hides what is left to gain
            break
        parameters += step
        steps.append((step, gradient, curvature))
        loss, gradient = reached, there
    return parameters


def _direction(gradient: Floats, steps: deque[Step]) -> Floats:
    """Minus the gradient, multiplied by an estimate of the inverse Hessian (algorithm 7.4); at first of length 1."""
    if not steps:
        return gradient / -np.linalg.norm(gradient)
    direction, weights = -gradient, []
    for step, change, curvature in reversed(steps):
        weights.append(np.float32(np.vdot(step, direction) / curvature))
        direction -= weights[-1] * change
    _, change, curvature = steps[-1]
    direction *= np.float32(curvature / np.vdot(change, change))
    for (step, change, curvature), weight in zip(steps, reversed(weights), strict=True):
        direction += (weight - np.float32(np.vdot(change, direction) / curvature)) * step
    return direction


def _factor(slope: float, change: float, end: float) -> float:
    """What to multiply a step by: 1 if the loss, which changed by `change`, fell enough, and its slope at the `end` is
    enough flatter than `slope`, that at the start.

    Wolfe's strong conditions; the lengths are the first that Moré and Thuente try in "Line search algorithms with
    guaranteed sufficient decrease", 1994, and so those of scipy.
    """
    long = change > DECREASE * slope
    if not long and end <= -FLATTER * slope:
        return 5.0 if end < FLATTER * slope else 1.0
    end = max(end, change)  # as it is but for rounding, since the objective is convex
    bend = slope + end - 3 * change
    root = math.sqrt(max(bend**2 - slope * end, 0.0))
    cubic = (root - slope + bend) / (2 * root - slope + end)  # where a cubic through both ends is least
    if not long:
        return min(cubic, slope / (slope - end))
    parabola = slope / (slope - change) / 2
    return cubic if cubic < parabola else (cubic + parabola) / 2
