"""Tables print in columns and give their numbers; figures leave pyplot alone."""

from __future__ import annotations

import subprocess
import sys
from types import ModuleType, SimpleNamespace

import pytest

import fastsa
from fastsa.display import Table, columns_of_text, lines, new_figure


@pytest.fixture
def table():
    rows = (("ours", 0.5, (0.25, 0.75), 1234), ("theirs", float("nan"), None, None))
    return Table(("", "score", "interval", "n"), rows, ("A note.",), "A title")


def test_a_table_prints_its_title_its_columns_and_its_notes(table):
    assert str(table).splitlines() == [
        "A title",
        "",
        "        score        interval      n",
        "ours    0.500  0.250 .. 0.750  1,234",
        "theirs      -               -      -",
        "",
        "A note.",
    ]


def test_cells_and_columns_are_found_by_name(table):
    assert table["ours", "n"] == 1234 and table.column("interval") == [(0.25, 0.75), None]
    with pytest.raises(KeyError, match="no row 'mine'; it has 'ours', 'theirs'"):
        table["mine", "n"]
    with pytest.raises(KeyError, match="no column 'm'"):
        table["ours", "m"]


def test_a_frame_has_a_column_for_each_end_of_an_interval(table, monkeypatch):
    pandas = ModuleType("pandas")
    pandas.DataFrame = lambda data, index: SimpleNamespace(data=data, index=index)
    monkeypatch.setitem(sys.modules, "pandas", pandas)
    frame = table.to_dataframe()
    assert list(frame.data) == ["score", "interval low", "interval high", "n"] and frame.index == ["ours", "theirs"]
    assert frame.data["interval high"] == [0.75, None]


@pytest.mark.parametrize(
    "module, call, message",
    [
        ("pandas", lambda table: table.to_dataframe(), "needs pandas: pip install pandas"),
        ("matplotlib.figure", lambda table: new_figure(1, (3.0, 2.0)), r"pip install 'fastsa\[demo\]'"),
    ],
)
def test_a_missing_library_is_named(table, monkeypatch, module, call, message):
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(fastsa.BackendUnavailable, match=message):
        call(table)


def test_the_first_column_is_to_the_left_and_the_others_to_the_right():
    assert columns_of_text(["", "a"], [["x", "10"], ["long", "5"]]) == ["       a", "x     10", "long   5"]


def test_curves_have_strokes_of_their_own():
    _, (axis,) = new_figure(1, (4.0, 3.0))
    lines(axis, {str(i): ([0, 1], [0, i]) for i in range(12)}, plain=["3"])
    strokes = {(line.get_color(), line.get_linestyle()) for line in axis.lines}
    assert len(strokes) == 12 and axis.get_legend() is not None


def test_figures_do_not_load_pyplot():
    code = (
        "import sys\nfrom fastsa.curation import detection_table\n"
        "detection_table({'a': [0.0, 1.0, 2.0]}, [True, False, False], resamples=5).figure()\n"
        "print('matplotlib.pyplot' in sys.modules, 'matplotlib.figure' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "True"]
