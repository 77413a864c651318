"""How long masks and pictures are trained for a time."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from podium.begin import budget
from podium.begin.budget import Fingerprint

prints = st.builds(
    Fingerprint,
    photos=st.integers(10, 20000),
    fits=st.sampled_from([1.0, 1.8]),
    predicted=st.integers(1, 10000),
    width=st.integers(8, 4000),
    height=st.integers(8, 4000),
    largest=st.integers(4000, 6000),
)


@given(own=prints, minutes=st.floats(1, 600), classes=st.integers(2, 40))
def test_more_time_is_never_used_for_less(own: Fingerprint, minutes: float, classes: int) -> None:
    def shown(minutes: float) -> tuple[int, int]:
        defaults = budget.of_masks(own, classes, minutes)[1].settings["defaults"]
        return defaults["size"], defaults["train"]["unet"]["epochs"]

    first, second = shown(minutes), shown(2 * minutes)
    assert second[0] >= first[0]
    assert second[0] > first[0] or second[1] >= first[1]


@given(own=prints, minutes=st.floats(1, 600), classes=st.integers(2, 40))
def test_sides_can_be_halved_and_predictions_fit_on_a_disk(own: Fingerprint, minutes: float, classes: int) -> None:
    side, finding = budget.of_masks(own, classes, minutes)
    defaults = finding.settings["defaults"]
    (crop,) = defaults["train"]["unet"]["sizes"]
    assert defaults["size"] % 32 == crop % 32 == side["side"] % 32 == 0
    assert crop <= defaults["size"]
    assert side["side"] <= defaults["size"]
    assert side["side"] == 32 or side["side"] ** 2 * classes * own.predicted <= 4e9
    assert 2 <= defaults["train"]["unet"]["epochs"] <= 60


def test_small_photos_are_shown_whole_and_pictures_as_large_as_they_are() -> None:
    _, finding = budget.of_masks(Fingerprint(600, 1.8, 320, 101, 101, 101), 2, 3)
    defaults = finding.settings["defaults"]
    assert (defaults["size"], defaults["train"]["unet"]["sizes"]) == (128, [128])
    side, finding = budget.of_pictures(Fingerprint(115, 1.8, 52, 540, 420, 540), 20, grey=False)
    assert side == {"side": 544}
    assert finding.settings["preprocess"] == {"fit": "keep"}
    assert finding.settings["defaults"]["train"]["small_unet"]["sizes"] == [128]
    _, finding = budget.of_pictures(Fingerprint(5000, 1.8, 2000, 32, 32, 32), 20, grey=True)
    assert finding.settings["preprocess"] == {"fit": "squash"}
    unet = finding.settings["defaults"]["train"]["unet"]
    assert (unet["sizes"], unet["enlarge"], unet["epochs"]) == ([32], 4, 7)
    assert "5,000 photos, mostly 32 x 32, are stored at 32" in finding.why


@pytest.mark.parametrize("minutes", [3.0, 30.0])
def test_the_plan_says_for_which_time_it_is(minutes: float) -> None:
    _, finding = budget.of_masks(Fingerprint(600, 1.8, 320, 480, 360, 480), 11, minutes)
    assert f"about {minutes:g} minutes on two cores" in finding.why
