"""Numbers in the cells of a submission."""

import numpy as np
import pytest
from conftest import TASK
from hypothesis import given, settings
from hypothesis import strategies as st

from podium.step import BadInput
from podium.tasks.cells import Form, in_columns, marked

many = settings(max_examples=150, deadline=None)
shares = st.lists(st.floats(0, 1, width=32), min_size=2, max_size=30).filter(lambda row: sum(row) > 0.01)


@many
@given(row=shares, decimals=st.integers(0, 8))
def test_probabilities_that_are_rounded_still_sum_to_one(row: list[float], decimals: int) -> None:
    """Exactly, in decimal arithmetic; none is off by more than one in the last place."""
    labels = [f"class {number}" for number in range(len(row))]
    (cells,) = TASK.cells(np.array([row], np.float32), {}, labels, labels, Form("probabilities", 5, " ", decimals))
    units = [int(cell.replace(".", "")) for cell in cells]
    assert sum(units) == 10**decimals
    exact = np.array(row, np.float32).astype(float)
    assert np.abs(np.array(units) - exact / exact.sum() * 10**decimals).max() < 1 + 1e-6
    assert all(len(cell.partition(".")[2]) == decimals for cell in cells)
    TASK.check_cells("line 2", dict(zip(labels, cells, strict=True)), Form("probabilities", 5, " ", decimals), labels)


@many
@given(row=shares)
def test_without_decimals_a_row_is_as_exact_as_float32(row: list[float]) -> None:
    labels = [str(number) for number in range(len(row))]
    (cells,) = TASK.cells(np.array([row], np.float32), {}, labels, labels, Form("probabilities", 5, " "))
    exact = np.array(row, np.float32).astype(float)
    np.testing.assert_allclose([float(cell) for cell in cells], exact / exact.sum(), rtol=1e-8)


def test_what_is_missing_goes_to_those_that_lost_most_and_the_columns_keep_their_places() -> None:
    shares, labels = np.array([[0.126, 0.247, 0.627]]), ["a", "b", "c"]
    (row,) = in_columns(shares, labels, ["c", "none", "a", "b"], 2, whole=True)
    assert row == ["0.63", "0.00", "0.12", "0.25"]
    (alone,) = in_columns(shares, labels, labels, 2)  # no whole: each by itself
    assert alone == ["0.13", "0.25", "0.63"]


def test_columns_that_are_one_are_named_and_others_must_be_zero() -> None:
    assert marked({"a": "1", "b": "0", "c": "1.0"}) == ["a", "c"]
    for cell in ("", "2", "yes", "nan"):
        with pytest.raises(ValueError, match=f"'{cell}' in column 'b' is neither 0 nor 1"):
            marked({"a": "1", "b": cell})


def test_a_sum_that_decimals_would_have_spoilt_is_refused() -> None:
    form = Form("probabilities", 5, " ", 2)
    with pytest.raises(BadInput, match=r"line 2: the probabilities sum to 0\.99, not to 1"):
        TASK.check_cells("line 2", dict.fromkeys(["a", "b", "c"], "0.33"), form, ["a", "b", "c"])


def test_a_number_that_is_rounded_to_zero_has_no_sign() -> None:
    assert in_columns(np.array([[-0.004, 0.004, -0.006]]), list("abc"), list("abc"), 2) == [["0.00", "0.00", "-0.01"]]
