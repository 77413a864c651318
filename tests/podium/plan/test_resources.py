"""What jobs claim grows with what makes them larger, and with each attempt."""

from pathlib import Path
from typing import Any

import pytest
from conftest import job, plan

from podium.plan import resources

CNN: dict[str, Any] = {"size": 64, "batch": 64, "width": 32, "precision": "bfloat16"}
FINETUNE: dict[str, Any] = {"size": 256, "sizes": [160, 224], "batch": 32, "backbone": "b", "precision": "bfloat16"}


def above(**options: Any) -> int:
    """The memory of a fit above that of one that trains on no pixels."""
    return resources.memory("train", 1, 1, options) - resources.memory("train", 1, 1)


@pytest.mark.parametrize("options", [CNN, FINETUNE], ids=["cnn", "finetune"])
def test_a_fit_claims_memory_for_the_pixels_of_its_batches(options: dict[str, Any]) -> None:
    once = above(**options)
    assert once > 100
    assert above(**{**options, "batch": 2 * options["batch"]}) == pytest.approx(2 * once, abs=1)
    assert above(**{**options, "precision": "float32"}) == pytest.approx(2 * once, abs=1)
    double = {"sizes": [320, 448]} if "sizes" in options else {"size": 128}
    assert above(**{**options, **double}) == pytest.approx(4 * once, abs=2)


def test_a_wider_network_claims_more_and_a_head_nothing_for_pixels() -> None:
    assert above(**{**CNN, "width": 64}) == pytest.approx(2 * above(**CNN), abs=1)
    assert above(views=["plain"], size=224, backbone="b", precision="bfloat16") == 0


def test_the_measured_fits_stay_within_their_claims() -> None:
    """Their peaks in MB, as their logs told."""
    assert resources.memory("train", 2, 1, CNN) > 1224
    assert resources.memory("train", 2, 1, {**FINETUNE, "sizes": [256]}) > 1704
    assert resources.memory("train", 2, 1, {**FINETUNE, "sizes": [256], "batch": 64}) > 2205


@pytest.mark.usefixtures("project")
def test_each_attempt_claims_more_of_both(project: Path) -> None:
    (project / "part.npy").write_bytes(b"\0" * 10**6)
    for rule in resources.CLAIMS:
        part = {"views": "plain+flip"} if rule == "embed" else {}
        memory, minutes = plan().memory(rule), plan().minutes(rule)
        first, second = (memory(job(**part), threads=2, attempt=attempt) for attempt in (1, 2))
        assert second == 2 * first > 0
        first, second = (minutes(job(**part), input=["part.npy"], attempt=attempt) for attempt in (1, 2))
        assert second == 2 * first > 0


@pytest.mark.usefixtures("project")
def test_time_grows_with_what_is_read_and_how_often(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (project / "folder").mkdir()
    for path in ("part.npy", "folder/a", "folder/b"):
        (project / path).write_bytes(b"\0" * 1000)
    monkeypatch.setitem(resources.CLAIMS, "train", resources.Claim(1, 0, 5, 10**6))  # a minute for each kB

    def minutes(network: str, *inputs: str, epochs: int = 30) -> int:
        changed = plan(lambda config: config["defaults"]["train"]["cnn"].update(epochs=epochs))
        return changed.minutes("train")(job(experiment=network), input=list(inputs), attempt=1)

    assert minutes("cnn", "not/yet.npy") == 5
    assert minutes("cnn", "part.npy") == 5 + 30
    assert minutes("cnn", "part.npy", epochs=10) == 5 + 10
    assert minutes("cnn", "part.npy", "folder") == 5 + 3 * 30
    assert minutes("linear", "part.npy", "folder") == 5 + 3
