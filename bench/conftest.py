"""Pairs ours with a baseline in one run, and prints all ratios at the end."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest


@dataclass(frozen=True)
class Ratio:
    """One line of the table: what is compared, how far it is ahead, and the bar it should pass."""

    what: str
    ratio: float
    bar: float
    ours: str
    unit: str = "x"


_ratios: list[Ratio] = []


class Compare:
    """Times ours and a baseline in turn, and records the median of the paired ratios."""

    def __init__(self, rounds: int) -> None:
        self.rounds = rounds

    def __call__(
        self,
        what: str,
        ours: Callable[[], Any],
        baseline: Callable[[], Any],
        *,
        bar: float,
        our_work: float = 1.0,
        their_work: float = 1.0,
        of: str = "run",
    ) -> float:
        """Ratio of seconds per unit of work, baseline over ours; each side may do another amount of it."""
        ours()
        pairs = [(_seconds(baseline) / their_work, _seconds(ours) / our_work) for _ in range(self.rounds)]
        ratio = statistics.median(theirs / mine for theirs, mine in pairs)
        mine = statistics.median(mine for _, mine in pairs)
        _ratios.append(Ratio(what, ratio, bar, f"{_readable(mine)} per {of}"))
        return ratio

    def rate(self, what: str, ours: Callable[[], Any], *, amount: float, unit: str, bar: float) -> float:
        """Amount per second, median of the rounds."""
        ours()
        rate = statistics.median(amount / _seconds(ours) for _ in range(self.rounds))
        _ratios.append(Ratio(what, rate, bar, "", unit))
        return rate

    def record(self, what: str, value: float, *, bar: float, unit: str) -> None:
        """A figure that is no time."""
        _ratios.append(Ratio(what, value, bar, "", unit))


@pytest.fixture
def compare(request: pytest.FixtureRequest) -> Compare:
    """`Compare` with seven rounds; one where benchmarks are disabled, to show only that they run."""
    return Compare(1 if request.config.getoption("benchmark_disable") else 7)


def pytest_terminal_summary(terminalreporter: Any) -> None:
    if not _ratios:
        return
    terminalreporter.section("figures of this run")
    width = max(len(r.what) for r in _ratios)
    for r in _ratios:
        bar = f"bar {r.bar:g}" if r.bar else ""
        terminalreporter.write_line(f"{r.what:<{width}}  {r.ratio:8.2f} {r.unit:<5} {bar:<9} {r.ours}")


def _seconds(run: Callable[[], Any]) -> float:
    start = time.perf_counter()
    run()
    return time.perf_counter() - start


def _readable(seconds: float) -> str:
    for scale, unit in ((1.0, "s"), (1e-3, "ms"), (1e-6, "us")):
        if seconds >= scale:
            return f"{seconds / scale:.3g} {unit}"
    return f"{seconds / 1e-9:.3g} ns"
