"""Draw how the fits of one experiment went."""

import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from podium.step import BadInput, Output, log, run

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

UNTRAINED = "val_"  # what Keras puts before a measure on photos that it does not train on
SAID = {
    "penalty": "L2 penalty",
    "accuracy": "accuracy (share of photos)",
    "samples_f1": "F1 (mean of photos)",
    "grade_accuracy": "accuracy (share of photos)",
    "mean_absolute_error": "mean absolute error (deviations)",
    "inner_loss": "loss on the inner quarter",
    "guide": "what decides when to stop (the least is best)",
}
MARKERS = "os^Dv<"  # so many fits are told apart; of more the mean is drawn
MARKED, TICKS = 10, 8  # points of a line; the most penalties that are named
WIDTH, HEIGHT, RESOLUTION = 4.6, 3.8, 120  # inches of a panel, and dots in each


def curves(histories: list[Path], curves: Output, *, names: list[str], title: str) -> None:
    """Draw how the fits of one experiment went.

    Each history is a table of numbers: its first column is what the fit goes along, epochs or penalties, the others are
    what was measured there. Each measure has a panel, with the column of `val_` before its name in the same one: photos
    that are not trained on. The picture is a PNG, of the same bytes each time. Raises BadInput, naming the line, where
    a history is empty or holds anything but numbers, and where two measure different things.
    """
    import matplotlib

    tables = [_read(path) for path in histories]
    for path, table in zip(histories, tables, strict=True):
        own, first = ([str(each.index.name), *_measures(each)] for each in (table, tables[0]))
        if own != first:
            raise BadInput(f"{path}: it has {own}, and {histories[0]} has {first}")
    # Whatever style the user has; a dollar sign in a name is one.
    with matplotlib.rc_context({**matplotlib.rcParamsDefault, "text.parse_math": False}):
        draw(tables, names, title).savefig(curves, format="png", dpi=RESOLUTION, metadata={"Software": None})
    log.info("%d fits", len(tables))


def draw(tables: list[pd.DataFrame], names: list[str], title: str) -> "Figure":
    """The picture of these histories, a panel for each measure; fits are named where there are few.

    A table has a row of floats for each epoch or penalty, which is its index, of that name.
    """
    from matplotlib.figure import Figure

    along, measures = str(tables[0].index.name), _measures(tables[0])
    figure = Figure((WIDTH * len(measures) + 2, HEIGHT), layout="constrained")
    figure.suptitle(title)
    panels = figure.subplots(1, len(measures), squeeze=False)[0]
    fits = dict(zip(names, tables, strict=True))
    for axes, measure in zip(panels, measures, strict=True):
        for column, line in ((measure, "-"), (UNTRAINED + measure, "--")):
            _draw_fits(axes, {name: fit[column] for name, fit in fits.items() if column in fit}, line)
        _label(axes, along, measure)
    _explain(figure, panels[0], along, any(UNTRAINED + measure in fit for fit in tables for measure in measures))
    return figure


def _draw_fits(axes: "Axes", fits: dict[str, pd.Series], line: str) -> None:
    """A line for each fit; of many, thin ones and their mean, which ends where the first of them does."""
    from matplotlib import colormaps

    few = len(fits) <= len(MARKERS)
    for number, (name, values) in enumerate(fits.items()):
        every = -(-len(values) // MARKED)
        style: dict[str, Any] = {"color": "0.7", "linewidth": 0.8, "marker": ".", "markersize": 3, "markevery": every}
        said = name if few else f"each of {len(fits)} fits" if number == 0 else None
        if few:
            # Told apart by markers and lightness, so in grey too.
            shade = colormaps["viridis"](0.85 * number / max(len(fits) - 1, 1))
            style = {"color": shade, "marker": MARKERS[number], "markersize": 5, "markevery": (number % every, every)}
        axes.plot(values.index, values, line, label=said if line == "-" else None, **style)
        if values.index.name == "penalty":
            least = values.nsmallest(1)
            axes.plot(least.index, least, "*", color=style["color"], markersize=14)
    if not few:
        mean = pd.concat(fits, axis=1).mean(axis=1, skipna=False)
        axes.plot(mean.index, mean, line, color="black", linewidth=2, label="their mean" if line == "-" else None)


def _label(axes: "Axes", along: str, measure: str) -> None:
    axes.set_xlabel(SAID.get(along, along))
    axes.set_ylabel(SAID.get(measure, measure))
    axes.grid(alpha=0.3)
    if along == "penalty":
        tried = np.unique(np.concatenate([line.get_xdata() for line in axes.lines]))
        axes.set_xscale("log")
        axes.set_xticks(tried[:: -(-len(tried) // TICKS)])
        axes.xaxis.set_major_formatter("{x:g}")
        axes.minorticks_off()
    else:
        axes.locator_params(axis="x", integer=True, min_n_ticks=1)
    if not any(np.isfinite(line.get_ydata()).any() for line in axes.lines):
        axes.text(0.5, 0.5, "no figures", ha="center", transform=axes.transAxes)


def _explain(figure: "Figure", axes: "Axes", along: str, others: bool) -> None:
    """The legend."""
    from matplotlib.lines import Line2D

    keys, said = axes.get_legend_handles_labels()
    if along == "penalty":
        keys.append(Line2D([], [], color="black", linestyle="none", marker="*", markersize=14))
        said.append("the least, which it takes")
    else:
        keys += [Line2D([], [], color="black", linestyle=line) for line in ("-", "--")][: 1 + others]
        said += ["photos trained on", "photos not trained on"][: 1 + others]
    figure.legend(keys, said, loc="outside right upper")


def _read(path: Path) -> pd.DataFrame:
    """A history, checked; its index is what it goes along."""
    try:
        # Of rows that are longer than the header pandas only warns.
        with warnings.catch_warnings(action="error", category=pd.errors.ParserWarning):
            table = pd.read_csv(path, index_col=False, skip_blank_lines=False)
    except (pd.errors.EmptyDataError, pd.errors.ParserError, pd.errors.ParserWarning, UnicodeDecodeError) as error:
        raise BadInput(f"{path}: not a table ({' '.join(str(error).split())})") from None
    if table.empty or len(table.columns) < 2:
        raise BadInput(f"{path}: no row of figures")
    numbers = table.apply(pd.to_numeric, errors="coerce").astype(float)
    for column in table:
        if (wrong := numbers[column].isna() & table[column].notna()).any():
            at = wrong.argmax()
            raise BadInput(f"{path}: line {at + 2}: {column!r} is {table[column].iloc[at]!r}, not a number")
    along = numbers.iloc[:, 0]
    if (wrong := along.isna() | along.duplicated()).any():
        raise BadInput(f"{path}: line {wrong.argmax() + 2}: no {along.name!r} of its own")
    return numbers.set_index(along.name)


def _measures(table: pd.DataFrame) -> list[str]:
    """What a history measures, on photos trained on, on others, or both."""
    return list(dict.fromkeys(column.removeprefix(UNTRAINED) for column in table.columns))


if __name__ == "__main__":
    run(curves)
