"""Measures over seeds: their means, and how far amortized values are ahead on the same points, flips and labels."""

from __future__ import annotations

import numpy as np
from scipy.stats import t

from fastsa.display import Table

Measures = dict[str, dict[str, float]]
"""Of one seed: by the name of the measure, a number per method. Names in LOWER are better when lower."""

LOWER = ("filtered, log-loss", "relabelled, log-loss")
KNN = "KNN-Shapley"


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
    found = {name: np.mean([seed[measure][name] for seed in seeds]) for name in seeds[0][measure] if KNN in name}
    return (min if measure in LOWER else max)(found, key=lambda name: found[name])


def contest(seeds: list[Measures], ours: str, monte_carlo: str, title: str) -> Table:
    """`ours` against Monte Carlo and the best KNN-Shapley in every measure; differences above 0 are in its favour."""
    rows = []
    for measure in seeds[0]:
        knn = best_knn(seeds, measure)
        cells: list[object] = [measure, float(np.mean([seed[measure][ours] for seed in seeds]))]
        for other in (monte_carlo, knn):
            cells += [float(np.mean([seed[measure][other] for seed in seeds])), *ahead(seeds, measure, ours, other)]
        rows.append(tuple(cells))
    columns = ("", ours, "Monte Carlo", "ahead", "95 %", "best KNN", "ahead ", "95 % ")
    notes = (f"{len(seeds)} seeds; ahead: mean paired difference, above 0 where amortized values are better.",)
    return Table(columns, tuple(rows), notes, title)


def verdict(seeds: list[Measures], ours: str, monte_carlo: str) -> str:
    """In which measures the intervals leave no doubt, in words."""
    told = []
    for what, other in (("Monte Carlo", monte_carlo), ("the best KNN-Shapley", None)):
        sorted_out: dict[str, list[str]] = {"beats": [], "is level with": [], "loses to": []}
        for measure in seeds[0]:
            _, spread = ahead(seeds, measure, ours, other or best_knn(seeds, measure))
            low, high = spread or (-np.inf, np.inf)
            sorted_out["beats" if low > 0.0 else "loses to" if high < 0.0 else "is level with"].append(measure)
        told += [f"  {said} {what} in {'; '.join(names)}." for said, names in sorted_out.items() if names]
    return "\n".join([f"{ours}:", *told])
