"""Figures in one quiet style, made without pyplot, so that no global state of the user's is touched."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from fastsa import _checks

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

BLUE, GREY, ORANGE, RED, FAINT = "#2563a8", "#8a8f98", "#c77d1e", "#b8373a", "#c9cdd3"
_GREEN, _PURPLE = "#3f8f6b", "#7a5aa6"
# Told apart by hue, then by stroke; the first method given is the one that stands out.
_STROKES = (
    (BLUE, "-", 2.2),
    *((color, "-", 1.5) for color in (GREY, ORANGE, _GREEN, RED, _PURPLE)),
    *((color, "--", 1.5) for color in (BLUE, GREY, ORANGE, _GREEN, RED, _PURPLE)),
)


def new_figure(columns: int, size: tuple[float, float]) -> tuple[Figure, NDArray[np.object_]]:
    """An empty figure of `size` inches and its axes [columns].

    Raises BackendUnavailable where matplotlib is missing.

    >>> from fastsa.display import new_figure
    >>> figure, axes = new_figure(2, (8.0, 4.0))
    >>> axes.size
    2
    """
    try:
        from matplotlib.figure import Figure
    except ImportError:
        raise _checks.BackendUnavailable("figures need matplotlib: pip install 'fastsa[demo]'.") from None
    figure = Figure(figsize=size, layout="constrained")
    axes = np.atleast_1d(figure.subplots(1, columns))
    for axis in axes:
        axis.spines[["top", "right"]].set_visible(False)
        axis.spines[["left", "bottom"]].set_color("#9aa0a8")
        axis.tick_params(colors="#555", labelsize=9)
        axis.title.set_size(11)
    return figure, axes


def lines(axis: Axes, curves: Mapping[str, tuple[Any, Any]], plain: Sequence[str] = ()) -> None:
    """Draw every curve (x, y) under its name, those named in `plain` thin and faint, and a legend beside the axes.

    >>> from fastsa.display import lines, new_figure
    >>> _, (axis,) = new_figure(1, (5.0, 3.0))
    >>> lines(axis, {"ours": ([0, 1], [0, 1]), "random": ([0, 1], [1, 1])}, plain=["random"])
    >>> [line.get_label() for line in axis.lines]
    ['ours', 'random']
    """
    strokes = 0
    for name, (x, y) in curves.items():
        if name in plain:
            axis.plot(x, y, color=FAINT, linewidth=1.2, zorder=0, label=name)
            continue
        color, style, width = _STROKES[strokes % len(_STROKES)]
        strokes += 1
        axis.plot(x, y, style, color=color, linewidth=width, label=name)
    axis.legend(frameon=False, loc="center left", bbox_to_anchor=(1.0, 0.5), fontsize=9)
