"""Measures over seeds: their means, and how far amortized values are ahead on the same points, flips and labels."""

from __future__ import annotations

import numpy as np
from scipy.stats import t

from fastsa.display import Table

Measures = dict[str, dict[str, float]]
"""Of one seed: by the name of the measure, a number per method. Names in LOWER are better when lower."""

LOWER = ("filtered, log-loss", "relabelled, log-loss")
KNN = "KNN-Shapley"
BY_CLASSIFIER = ", class by classifier"
"""Relabelled as methods are that value no class but a point's own: to the class of a classifier that has not seen it."""


def means(seeds: list[Measures], title: str) -> Table:
    """The mean of every measure over seeds; a dash where a method has none."""
    methods = list(dict.fromkeys(method for measure in seeds[0].values() for method in measure))
    rows = []
    for method in methods:
        cells = [[seed[measure].get(method) for seed in seeds] for measure in seeds[0]]
        rows.append((method, *(None if None in cell else float(np.mean(cell)) for cell in cells)))
    return Table(("", *seeds[0]), tuple(rows), (f"means over {len(seeds)} seeds",), title)


def ahead(seeds: list[Measures], measure: str, ours: str, other: str) -> tuple[float, tuple[float, float] | None]:
    """How much better `ours` is than `other`, the mean of paired differences, with its 95 % interval of Student's t.

    The seeds draw other points, flips, labels and networks, so that all of their luck is in the interval. None of one.
    """
    lead = np.array([seed[measure][ours] - seed[measure][other] for seed in seeds])
    lead = -lead if measure in LOWER else lead
    if lead.size == 1:
        return float(lead[0]), None
    half = t.ppf(0.975, lead.size - 1) * lead.std(ddof=1) / np.sqrt(lead.size)
    return float(lead.mean()), (float(lead.mean() - half), float(lead.mean() + half))


def best_knn(seeds: list[Measures], measure: str) -> str:
    """The KNN-Shapley of the grid with the best mean: chosen after the fact, to its advantage."""
    found = {name: _mean(seeds, measure, name) for name in seeds[0][measure] if KNN in name}
    return (min if measure in LOWER else max)(found, key=lambda name: found[name])


def contest(seeds: list[Measures], ours: str, monte_carlo: str, title: str) -> Table:
    """`ours` against Monte Carlo and the best KNN-Shapley in every measure; differences above 0 are in its favour."""
    rows = []
    for measure, name in _contested(seeds, ours):
        rows.append((measure + name.removeprefix(ours), *_against(seeds, measure, name, monte_carlo)))
    columns = ("", ours, "Monte Carlo", "ahead", "95 %", "best KNN", "ahead ", "95 % ")
    notes = (f"{len(seeds)} seeds; ahead: mean paired difference, above 0 where amortized values are better.",)
    return Table(columns, tuple(rows), notes, title)


def _against(seeds: list[Measures], measure: str, ours: str, monte_carlo: str) -> list[object]:
    cells: list[object] = [_mean(seeds, measure, ours)]
    for other in (monte_carlo, best_knn(seeds, measure)):
        cells += [_mean(seeds, measure, other), *ahead(seeds, measure, ours, other)]
    return cells


def _mean(seeds: list[Measures], measure: str, name: str) -> float:
    return float(np.mean([seed[measure][name] for seed in seeds]))


def verdict(seeds: list[Measures], ours: str, monte_carlo: str) -> str:
    """In which measures the intervals leave no doubt, in words."""
    told = []
    for what, knn in (("Monte Carlo", False), ("the best KNN-Shapley", True)):
        found: dict[str, list[str]] = {"beats": [], "is level with": [], "loses to": []}
        for measure, name in _contested(seeds, ours):
            other = best_knn(seeds, measure) if knn else monte_carlo
            low, high = ahead(seeds, measure, name, other)[1] or (-np.inf, np.inf)
            won = "beats" if low > 0.0 else "loses to" if high < 0.0 else "is level with"
            found[won].append(measure + name.removeprefix(ours))
        told += [f"  {won} {what} in {'; '.join(names)}." for won, names in found.items() if names]
    return "\n".join([f"{ours}:", *told])


def _contested(seeds: list[Measures], ours: str) -> list[tuple[str, str]]:
    """(measure, the name of ours in it): relabelling is measured twice, see BY_CLASSIFIER."""
    names = (ours, ours + BY_CLASSIFIER)
    return [(measure, name) for measure, values in seeds[0].items() for name in names if name in values]
