import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from podium.tables import read_csv, write_csv

TEXT = st.text(st.characters(exclude_categories=["Cc", "Cs"]), min_size=1, max_size=8)
NASTY = ["id", "split", "NA", "1", "a,b", "", "nan", 'say "hi"', " x ", "True"]


@settings(max_examples=100, deadline=None)
@given(rows=st.lists(st.tuples(TEXT, TEXT | st.sampled_from(NASTY)), min_size=1, max_size=5))
def test_ids_and_labels_of_our_own_tables_stay_text(
    tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[str, str]]
) -> None:
    path, table = tmp_path_factory.getbasetemp() / "own.csv", pd.DataFrame(rows, columns=["id", "label"])
    write_csv(path, table.assign(fold=range(len(rows))))
    found = read_csv(path)
    assert list(found[["id", "label"]].itertuples(index=False, name=None)) == rows
    assert list(found.fold) == list(range(len(rows)))
