"""A row for each pixel: samples of any order are read, written and checked."""

import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from podium.predictions import pixel_rows
from podium.step import BadInput

SIZES = {"7": (3, 2), "a_1": (1, 4)}


def table(by_rows: bool, first: int, template: str, order: list[str]) -> str:
    lines = []
    for key in order:
        width, height = SIZES[key]
        pixels = [(row, column) for row in range(height) for column in range(width)]
        for row, column in pixels if by_rows else sorted(pixels, key=lambda each: each[::-1]):
            name = template.format(id=key, row=row + first, column=column + first)
            lines.append(f"{name},1")
    return "\n".join(["id,value", *lines]) + "\n"


@given(
    by_rows=st.booleans(),
    first=st.integers(0, 1),
    template=st.sampled_from(["{id}_{row}_{column}", "{column}x{row}/{id}"]),
    order=st.permutations(list(SIZES)),
)
def test_rows_are_written_in_the_order_of_the_sample(
    by_rows: bool, first: int, template: str, order: list[str], tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.mktemp("rows") / "out.csv"
    sample = pixel_rows.read_sample("s.csv", table(by_rows, first, template, order).encode(), template, SIZES)
    assert sample.ids == order
    random = np.random.default_rng(0)
    pictures = {key: random.integers(0, 256, (high, wide), np.uint8) for key, (wide, high) in SIZES.items()}
    pixel_rows.write(path, sample, (pictures[key] for key in sample.ids))
    pixel_rows.check("it", path, sample)
    found = pd.read_csv(path, index_col="id").value
    for key, picture in pictures.items():
        for (row, column), value in np.ndenumerate(picture):
            name = template.format(id=key, row=row + first, column=column + first)
            assert round(found[name] * 255) == value


PLAIN = table(True, 1, "{id}_{row}_{column}", list(SIZES))


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        (PLAIN.replace("7_1_2,1\n", ""), "s.csv: line 3: '7_1_3', but '7_1_2' is the next pixel of 7"),
        (PLAIN.replace("7_", "8_"), "s.csv: line 2: '8_1_1' is no pixel of a test photo, such as '7'"),
        (PLAIN + "7_1_1,1\n", "s.csv: line 12: the pixels of '7' stand apart from its others"),
        (PLAIN.replace("a_1_4_1,1\n", ""), "s.csv: line 11: 'the end', but 'a_1_4_1' is the next pixel of a_1"),
        (PLAIN[: PLAIN.index("a_1")], "s.csv: no pixel of the test photo 'a_1'"),
        (PLAIN.replace("id,value", "id,value,more"), "s.csv: line 1: 3 columns, but a row for each pixel"),
    ],
)
def test_a_sample_of_other_pixels_is_refused_by_its_line(changed: str, said: str) -> None:
    with pytest.raises(BadInput, match=re.escape(said)):
        pixel_rows.read_sample("s.csv", changed.encode(), "{id}_{row}_{column}", SIZES)


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        (PLAIN.replace("7_1_2,1", "7_1_2,1.5"), "it: line 3: '7_1_2' with '1.5', but '7_1_2' needs 0 to 1"),
        (PLAIN.replace("7_1_2,1", "7_1_2,"), "it: line 3: '7_1_2' with '', but '7_1_2' needs 0 to 1"),
        (PLAIN.replace("7_1_2", "7_2_1"), "it: line 3: '7_2_1' with '1', but '7_1_2' needs 0 to 1"),
        (PLAIN + "7_1_1,1\n", "it: '7_1_1,1' is one row more than in s.csv"),
        (PLAIN.replace("value", "values"), "it: line 1: the header is not that of s.csv, 'id,value'"),
    ],
)
def test_a_submission_with_a_wrong_row_is_refused_by_its_line(tmp_path: Path, changed: str, said: str) -> None:
    sample = pixel_rows.read_sample("s.csv", PLAIN.encode(), "{id}_{row}_{column}", SIZES)
    (path := tmp_path / "out.csv").write_text(changed)
    with pytest.raises(BadInput, match=re.escape(said)):
        pixel_rows.check("it", path, sample)
