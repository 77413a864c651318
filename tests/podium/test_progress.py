import logging
from collections.abc import Iterator

import pytest

from podium import progress
from podium.progress import Progress, in_threads
from podium.step import BadInput


def test_progress_says_how_far_it_is_and_how_far_it_came(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "podium")
    monkeypatch.setattr(progress, "SECONDS_BETWEEN_LINES", 0.0)
    with Progress(2500, "photos") as told:
        told.update(1200)
        told.update(1300)
    assert [message.rpartition(", ")[0] for message in caplog.messages] == [
        "1,200 of 2,500 photos",
        "2,500 of 2,500 photos",
        "2,500 of 2,500 photos",
    ]
    assert all(message.endswith("/s") for message in caplog.messages)


def test_progress_says_nothing_more_once_the_step_failed(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "podium")
    with pytest.raises(ZeroDivisionError), Progress(1, "photos") as told:
        told.update(1 // 0)
    assert caplog.messages == []


@pytest.mark.parametrize("threads", [1, 8])
def test_threads_give_results_in_order_and_take_few_items_ahead(threads: int, caplog: pytest.LogCaptureFixture) -> None:
    taken, ahead = [], []

    def items() -> Iterator[int]:
        for number in range(500):
            taken.append(number)
            yield number

    with caplog.at_level(logging.INFO):
        for place, result in enumerate(in_threads(lambda item: item**2, items(), 500, "photos", threads)):
            assert result == place**2
            ahead.append(len(taken) - place)
    assert len(ahead) == len(taken) == 500
    assert max(ahead) <= progress.TOGETHER * (threads + 1)
    assert "500 of 500 photos" in caplog.text


def test_the_first_error_in_a_thread_ends_it(caplog: pytest.LogCaptureFixture) -> None:
    def refuse(number: int) -> int:
        if number >= 20:
            raise BadInput(f"photo {number}")
        return number

    results = in_threads(refuse, range(10**9), 10**9, "photos", 4)
    with caplog.at_level(logging.INFO), pytest.raises(BadInput, match="photo 20"):
        list(results)
    assert "photos, " not in caplog.text
