"""What a job may use of a machine."""

from typing import Any

import pytest
from conftest import PLANNED, job, plan, with_folds

from podium import machine
from podium.plan.plan import Plan
from podium.plan.settings import ConfigError

pytestmark = pytest.mark.usefixtures("project")


@pytest.mark.parametrize(("threads", "expected"), [(None, 8), (3, 3), (64, 8)])
def test_the_device_bounds_the_threads_and_large_networks_take_them_all(threads: int | None, expected: int) -> None:
    one = plan(lambda config: config["device"].update(threads=threads))
    assert one.cores(8) == one.threads(job(experiment="finetune"), 8) == expected
    assert one.threads(job(experiment="linear"), 8) == one.threads(job(experiment="cnn"), 8) == 1
    assert one.cores(None) == one.threads(job(experiment="finetune"), None) == 1


@pytest.mark.parametrize(
    ("folds", "seeds", "cores", "threads", "expected"),
    [
        (0, [0], 8, None, 8),
        (0, [0, 1, 2], 8, None, 8),
        (4, [0], 8, None, 2),
        (4, [0, 1, 2], 8, None, 2),
        (0, [0], 8, 3, 3),
        (4, [0], 8, 1, 1),
        (4, [0], 64, 3, 3),
        (0, [0], None, None, 1),
    ],
)
def test_small_networks_share_the_cores_among_their_fits(
    folds: int, seeds: list[int], cores: int | None, threads: int | None, expected: int
) -> None:
    def change(config: dict[str, Any]) -> None:
        with_folds(folds, *seeds)(config)
        config["device"]["threads"] = threads

    assert plan(change).threads(job(), cores) == expected


def on_gpus(monkeypatch: pytest.MonkeyPatch, here: int, free: int | None, a_fit: int = 1) -> Plan:
    """The plan of a machine that shows so many GPUs, of which Snakemake may use so many, for fits on so many."""
    card = machine.Card("0", "GPU-0", "Card", (8, 0))
    monkeypatch.setattr(machine, "cards", lambda: (card,) * here)
    device = {**PLANNED["device"], "gpus": a_fit}
    return Plan({**PLANNED, "competition": "pets", "device": device}, {}, gpus=free)


@pytest.mark.parametrize(
    ("here", "a_fit", "trains", "predicts"),
    [(0, 1, [0, 0, 1], [0, 0, 1]), (1, 1, [0, 1, 1], [0, 1, 1]), (4, 2, [0, 2, 2], [0, 1, 1])],
    ids=["none", "one", "several"],
)
def test_what_fits_on_pixels_claims_the_gpus_that_the_machine_has(
    here: int, a_fit: int, trains: list[int], predicts: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    one = on_gpus(monkeypatch, here, None, a_fit)
    for rule, expected in [("train", trains), ("predict", predicts)]:
        assert [one.gpus(rule, job(experiment=name)) for name in ("linear", "cnn", "finetune")] == expected


@pytest.mark.parametrize(
    ("here", "free", "a_fit", "expected"),
    [
        (0, 1, 1, [1, 1, 8, 8]),
        (1, 1, 1, [1, 8, 8, 8]),
        (1, None, 1, [1, 8, 8, 8]),
        (4, 1, 1, [1, 8, 8, 8]),
        (4, 2, 1, [1, 4, 4, 4]),
        (2, 4, 1, [1, 4, 4, 4]),
        (4, 4, 2, [1, 4, 4, 4]),
        (4, 4, 1, [1, 2, 4, 2]),
        (2, 0, 1, [1, 1, 8, 8]),
    ],
)
def test_what_runs_side_by_side_on_gpus_shares_the_cores(
    here: int, free: int | None, a_fit: int, expected: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of 8 cores; `cnn` has 5 fits and `finetune` 2, of which more than one run at a time on GPUs alone."""
    one = on_gpus(monkeypatch, here, free, a_fit)
    fits = [one.threads(job(experiment=name), 8) for name in ("linear", "cnn", "finetune")]
    assert [*fits, one.gpu_cores(8)] == expected


def test_the_gpus_of_a_fit_are_a_setting_of_what_fits_on_them_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    one, two = (on_gpus(monkeypatch, 2, 2, a_fit) for a_fit in (1, 2))
    for experiment in ("cnn", "finetune"):
        wildcards = job(experiment=experiment)
        assert [each.settings("train", wildcards)["options"]["gpus"] for each in (one, two)] == [1, 2]
        assert one.settings("predict", wildcards) == two.settings("predict", wildcards)
    assert one.settings("train", job()) == two.settings("train", job())


def test_more_gpus_for_a_fit_than_can_be_had_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    for here, free, message in [
        (4, 1, "device.gpus: a fit on 2 needs --resources gpu=2 or more"),
        (1, 2, "device.gpus: 2, but this machine shows 1"),
    ]:
        with pytest.raises(ConfigError, match=message):
            on_gpus(monkeypatch, here, free, a_fit=2)
    three = on_gpus(monkeypatch, 0, None, a_fit=3)  # where steps run may be another machine
    with pytest.raises(ConfigError, match=r"^podium: experiments\.cnn\.train\.cnn\.batch: 64 photos"):
        three.settings("train", job(experiment="cnn"))


def test_the_memory_that_the_device_gives_is_a_limit() -> None:
    assert plan().gpu_memory == 0
    assert plan(lambda config: config["device"].update(gpu_memory=2048)).gpu_memory == 2048
