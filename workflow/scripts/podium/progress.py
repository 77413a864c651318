"""How far a long step is, and work on many items in threads that keeps their order. No TensorFlow."""

import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice
from typing import TypeVar

from podium.step import log

Item = TypeVar("Item")
Result = TypeVar("Result")
SECONDS_BETWEEN_LINES = 5.0
TOGETHER = 4  # items that a thread is given at a time


class Progress:
    """Logs the progress of a long step every few seconds; `pooch` accepts it as a progress bar."""

    def __init__(self, total: int, unit: str) -> None:
        self.total, self.unit, self.count = total, unit, 0
        self.started = self.said = time.perf_counter()

    def update(self, more: int) -> None:
        self.count += more
        now = time.perf_counter()
        if now - self.said >= SECONDS_BETWEEN_LINES:
            self.said = now
            self._say(now)

    def reset(self) -> None:
        self.count = 0

    def close(self) -> None:
        self._say(time.perf_counter())

    def __enter__(self) -> "Progress":
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        if kind is None:
            self.close()

    def _say(self, now: float) -> None:
        rate = self.count / max(now - self.started, 1e-9)
        log.info("%s of %s %s, %s/s", f"{self.count:,}", f"{self.total:,}", self.unit, f"{rate:,.0f}")


def in_threads(
    function: Callable[[Item], Result], items: Iterable[Item], total: int, unit: str, threads: int
) -> Iterator[Result]:
    """`function` of each item, in the items' order, with a log of the progress.

    No more than a few items are taken ahead, so that memory use stays constant; a thread is given several at a time,
    since handing over one costs as much as decoding a small photo.
    """
    left, waiting = iter(items), deque[Future[list[Result]]]()
    with Progress(total, unit) as progress, ThreadPoolExecutor(threads) as pool:
        while (some := list(islice(left, TOGETHER))) or waiting:
            if some:
                waiting.append(pool.submit(lambda some: [function(item) for item in some], some))
            if not some or len(waiting) > threads:
                done = waiting.popleft().result()
                yield from done
                progress.update(len(done))
