"""The picture shows the figures of the histories, and is the same each time."""

from pathlib import Path

import matplotlib
import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from PIL import Image

from curves import HEIGHT, MARKERS, RESOLUTION, WIDTH, curves, draw
from podium.step import BadInput
from podium.tables import write_csv

FEW, MANY = len(MARKERS), len(MARKERS) + 1


def fits(count: int, held_out: bool = False) -> list[pd.DataFrame]:
    """Histories of epochs, each one an epoch longer than the one before."""
    random, tables = np.random.default_rng(0), []
    for epochs in range(12, 12 + count):
        columns = ["loss", "accuracy", *(["val_loss", "val_accuracy"] if held_out else [])]
        table = pd.DataFrame(random.uniform(size=(epochs, len(columns))), columns=columns)
        table.insert(0, "epoch", range(1, epochs + 1))
        tables.append(table)
    return tables


def heads(count: int) -> list[pd.DataFrame]:
    """Histories of penalties, the strongest first; the least loss of each is that of another one."""
    losses = [np.roll([0.1, 0.5, 0.3], number) + number / 10 for number in range(count)]
    return [pd.DataFrame({"penalty": [30, 10, 0.5], "inner_loss": loss}) for loss in losses]


def names(tables: list[pd.DataFrame]) -> list[str]:
    return [f"seed{number}-all" for number in range(len(tables))]


def drawn(tables: list[pd.DataFrame]) -> Figure:
    return draw([table.set_index(table.columns[0]) for table in tables], names(tables), "cnn on pets")


def lines(figure: Figure, panel: int, style: str, width: float = 1.5) -> list[Line2D]:
    found = figure.axes[panel].lines
    return [line for line in found if (line.get_linestyle(), line.get_linewidth()) == (style, width)]


def assert_same(found: list[Line2D], tables: list[pd.DataFrame], column: str) -> None:
    assert len(found) == len(tables)
    for line, table in zip(found, tables, strict=True):
        np.testing.assert_array_equal(line.get_xydata(), table[["epoch", column]])


def legend(figure: Figure) -> list[str]:
    return [text.get_text() for text in figure.legends[0].get_texts()]


def written(folder: Path, tables: list[pd.DataFrame]) -> bytes:
    """The picture of these histories, as a file."""
    paths = [folder / f"{number}.csv" for number in range(len(tables))]
    for path, table in zip(paths, tables, strict=True):
        write_csv(path, table)
    curves(paths, folder / "curves.png", names=names(tables), title="cnn on pets")
    return (folder / "curves.png").read_bytes()


@pytest.mark.parametrize("count", [1, FEW])
@pytest.mark.parametrize("held_out", [False, True])
def test_each_of_few_fits_has_its_name_and_its_figures_by_epoch(count: int, held_out: bool) -> None:
    tables = fits(count, held_out)
    figure = drawn(tables)
    for panel, (measure, label) in enumerate([("loss", "loss"), ("accuracy", "accuracy (share")]):
        assert_same(lines(figure, panel, "-"), tables, measure)
        assert_same(lines(figure, panel, "--"), tables if held_out else [], f"val_{measure}")
        assert figure.axes[panel].get_ylabel().startswith(label)
        assert figure.axes[panel].get_xlabel() == "epoch"
    told_apart = {(line.get_marker(), line.get_color()) for line in lines(figure, 0, "-")}
    assert len({marker for marker, _ in told_apart}) == len({shade for _, shade in told_apart}) == count
    assert legend(figure) == [*names(tables), "photos trained on", *(["photos not trained on"] if held_out else [])]


@pytest.mark.parametrize("held_out", [False, True])
def test_many_fits_are_thin_and_their_mean_ends_where_the_first_of_them_does(held_out: bool) -> None:
    tables = fits(MANY, held_out)
    figure = drawn(tables)
    for panel, measure in enumerate(["loss", "accuracy"]):
        for style, column in [("-", measure), *([("--", f"val_{measure}")] if held_out else [])]:
            assert_same(lines(figure, panel, style, 0.8), tables, column)
            (mean,) = lines(figure, panel, style, 2)
            x, y = mean.get_xydata()[np.isfinite(mean.get_ydata())].T
            assert list(x) == list(range(1, 13))
            np.testing.assert_allclose(y, np.mean([table[column][:12] for table in tables], axis=0))
    assert legend(figure)[:3] == [f"each of {MANY} fits", "their mean", "photos trained on"]


@pytest.mark.parametrize("count", [1, FEW, MANY])
def test_a_head_s_penalties_stand_on_a_log_axis_with_a_star_at_the_one_it_takes(count: int) -> None:
    tables = heads(count)
    figure = drawn(tables)
    (axes,) = figure.axes
    stars = [line.get_xydata()[0] for line in axes.lines if line.get_marker() == "*"]
    least = [table.loc[table.inner_loss.idxmin(), ["penalty", "inner_loss"]] for table in tables]
    np.testing.assert_array_equal(stars, least)
    assert axes.get_xscale() == "log"
    figure.draw_without_rendering()
    assert [tick.get_text() for tick in axes.get_xticklabels()] == ["0.5", "10", "30"]
    assert legend(figure)[-1] == "the least, which it takes"


def test_a_panel_without_a_figure_says_so() -> None:
    table = pd.DataFrame({"penalty": [3, 1], "inner_loss": [np.nan, np.nan]})
    (axes,) = drawn([table]).axes
    assert [text.get_text() for text in axes.texts] == ["no figures"]
    (axes, _) = drawn(fits(1)).axes
    assert not axes.texts


def test_the_picture_has_the_same_bytes_each_time_and_whatever_style_the_user_has(tmp_path: Path) -> None:
    first = written(tmp_path, fits(2))
    with matplotlib.rc_context({"lines.linewidth": 9, "font.size": 30, "savefig.dpi": 20}):
        assert written(tmp_path, fits(2)) == first
    assert written(tmp_path, fits(3)[1:]) != first


@pytest.mark.parametrize(("tables", "panels"), [(fits(2), 2), (heads(2), 1)])
def test_the_picture_shows_every_fit_s_line(tmp_path: Path, tables: list[pd.DataFrame], panels: int) -> None:
    written(tmp_path, tables)
    with Image.open(tmp_path / "curves.png") as image:
        assert image.size == (round((WIDTH * panels + 2) * RESOLUTION), round(HEIGHT * RESOLUTION))
        pixels = np.asarray(image.convert("RGB"))
    for line in lines(drawn(tables), panels - 1, "-"):
        shade = np.round(np.multiply(line.get_color()[:3], 255))
        assert (np.abs(pixels - shade).max(-1) <= 1).sum() > 100


def test_a_name_with_dollar_signs_is_no_formula(tmp_path: Path) -> None:
    write_csv(tmp_path / "history.csv", fits(1)[0])
    curves([tmp_path / "history.csv"], tmp_path / "curves.png", names=[r"$\frac$"], title=r"a $\b$ on $\c$")
    assert (tmp_path / "curves.png").exists()


WRONG = {
    "nothing": ("", "not a table (No columns to parse from file)"),
    "a header": ("epoch,loss,accuracy\n", "no row of figures"),
    "one column": ("epoch\n1\n", "no row of figures"),
    "a word": ("epoch,loss\n1,2.5\n2,low\n", "line 3: 'loss' is 'low', not a number"),
    "a row that is too long": ("epoch,loss\n1,2.5\n2,2.0,1\n", "not a table (Error tokenizing data. C error: Expected"),
    "rows that are too long": (
        "epoch,loss\n1,2.5,1\n2,2.0,1\n",
        "not a table (Length of header or names does not match",
    ),
    "no epoch": ("epoch,loss\n1,2.5\n,2.0\n", "line 3: no 'epoch' of its own"),
    "an empty line": ("epoch,loss\n1,2.5\n\n2,2.0\n", "line 3: no 'epoch' of its own"),
    "an epoch twice": ("epoch,loss\n1,2.5\n1,2.0\n", "line 3: no 'epoch' of its own"),
    "other figures": ("penalty,inner_loss\n1,2.5\n", "it has ['penalty', 'inner_loss'], and "),
}


@pytest.mark.parametrize(("content", "message"), WRONG.values(), ids=WRONG)
def test_a_wrong_history_is_refused_in_one_line(tmp_path: Path, content: str, message: str) -> None:
    right, wrong = tmp_path / "right.csv", tmp_path / "wrong.csv"
    write_csv(right, pd.DataFrame({"epoch": [1], "loss": [2.5]}))
    wrong.write_text(content)
    with pytest.raises(BadInput) as refused:
        curves([right, wrong], tmp_path / "curves.png", names=["seed0-fold0", "seed0-fold1"], title="cnn on pets")
    assert str(refused.value).startswith(f"{wrong}: {message}")
    assert "\n" not in str(refused.value)
    assert not (tmp_path / "curves.png").exists()


CELLS = st.floats().map(repr) | st.integers().map(str) | st.sampled_from(["", "1", "2", "0.5", "'", '"', "low"])
ROWS = st.lists(st.lists(CELLS, min_size=2, max_size=3).map(",".join), max_size=4).map("\n".join)
HEADERS = st.sampled_from(["epoch,loss", "penalty,inner_loss", "epoch,loss,val_loss", "a,b,a", "val_,val_b", "a,val_a"])


@pytest.mark.filterwarnings("ignore:Data has no positive values")
@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.tuples(HEADERS, ROWS).map("\n".join).map(str.encode) | st.binary(max_size=40))
def test_whatever_a_file_holds_it_is_drawn_or_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "history.csv").write_bytes(content)
    try:
        curves([tmp_path / "history.csv"], tmp_path / "curves.png", names=["seed0-all"], title="cnn on pets")
    except BadInput as refused:
        assert str(refused).startswith(f"{tmp_path / 'history.csv'}: ")
        assert "\n" not in str(refused)
