r"""Claim: labels of a thousand points and more teach the values of points that have none, nearly as well as of those that have.

    python -m bench.paper.cifar_sizes [--data-dir DATA] [--sizes 1000 2500 5000 10000 25000] [--samples 5] [--seeds 5]
        [--minutes 170] [--out FOLDER] [--small]

The paper (section 5.3, figure 5, right): the game of `cifar_valuation --points 49000`, of whose pool the first points alone get
labels. Networks are trained on those, and the error is measured on the 250 points of known truth at the pool's beginning,
which have labels, and on the 250 at its end, which have none. Influences are of all points: they need no labels. Labels that
`cifar_valuation` left in FOLDER are taken from there.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from functools import partial

import numpy as np

import fastsa
from bench import data
from bench.paper import cheap_games, cifar_valuation, options, valuing
from bench.paper.cells import Cells
from fastsa.amortize import ValuationNet, baselines, cross_refine

POINTS, SIZES = 49_000, (1000, 2500, 5000, 10_000, 25_000)
KINDS = {"labelled": "with labels", "others": "without"}


def halves(bank: valuing.Bank, size: int, samples: int) -> tuple[list[fastsa.Labels], list[fastsa.Labels | None]]:
    """Labels of the first `size` points in two halves, to train on and to choose by."""
    spans, first = valuing.Halves.of(samples), np.arange(size)
    return (
        [bank.labels("train", *span).take(first) for span in spans.train],
        [bank.labels("select", *span).take(first) if span[0] < span[1] else None for span in spans.select],
    )


def estimates(
    setting: valuing.Setting, bank: valuing.Bank, size: int, samples: int, seed: int
) -> dict[str, np.ndarray]:
    """Values of the points of known truth by method, from labels of the first `size` points; NaN where a method has none."""
    d, where, first = setting.data, setting.truth_items, np.arange(size)
    train, select = halves(bank, size, samples)
    parts = [t if s is None else t.merge(s) for t, s in zip(train, select, strict=True)]
    whole = parts[0].merge(parts[1])
    mean, count = whole.mean[:, 0], whole.count
    nets = [
        ValuationNet(seed=seed).fit(
            d.X[:size], d.y[:size], t, select=s, n_classes=setting.n_classes, influences=setting.influences
        )
        for t, s in zip(train, select, strict=True)
    ]
    own = where[where < size]
    predicted = [net.predict(d.X, d.y) for net in nets]
    refined = cross_refine([values[first] for values in predicted], parts)
    chosen = None if None in select else select[0].merge(select[1])
    recipe = setting.recipe.fit(
        d.X[:size], d.y[:size], train[0].merge(train[1]), chosen, n_classes=setting.n_classes, seed=seed
    )
    missing = np.full(where.size - own.size, np.nan)
    return {
        "Monte Carlo": np.concatenate([mean[own], missing]),
        "shrunk": np.concatenate([baselines.shrunk(mean, count, count * whole.stderr[:, 0] ** 2)[own], missing]),
        "recipe": recipe.predict(d.X[where], d.y[where]),
        "amortized": np.mean(predicted, axis=0)[where],
        "refined": np.concatenate([refined.values[own, 0], missing]),
    }


Estimates = Callable[[valuing.Bank, int, int, int], dict[str, np.ndarray]]


def cell(
    estimates: Estimates,
    setting: valuing.Setting,
    truth: fastsa.Labels,
    bank: valuing.Bank,
    size: int,
    samples: int,
    seed: int,
) -> dict:
    """Errors of estimates on points of known truth, those with labels and those without."""
    labelled = setting.truth_items < size
    found = estimates(bank, size, samples, seed)
    record: dict = {"size": size, "samples": samples, "seed": seed}
    for kind, places in (("labelled", labelled), ("others", ~labelled)):
        record[kind] = {
            method: cheap_games.scores(values, truth, np.flatnonzero(places))
            for method, values in found.items()
            if np.isfinite(values[places]).all()
        }
    return record


def main(arguments: list[str] | None = None) -> None:
    given = parsed(__doc__, arguments, SIZES)
    setting = setting_of(given)
    run("sizes", partial(estimates, setting), setting, given)


def parsed(doc: str | None, arguments: list[str] | None, sizes: tuple[int, ...]) -> argparse.Namespace:
    parser = options.parser_of(doc, minutes=170.0)
    parser.add_argument(
        "--sizes", type=int, nargs="+", default=list(sizes), help="points that get labels, the first ones"
    )
    parser.add_argument("--samples", type=int, default=5)
    given = parser.parse_args(arguments)
    if given.small:
        given.sizes, given.seeds = [100, 250], 1
    return given


def setting_of(given: argparse.Namespace) -> valuing.Setting:
    points = 500 if given.small else POINTS
    return cifar_valuation.setting(data.folder(given.data_dir), points, 0.1, False, given.small)


def run(name: str, estimates: Estimates, setting: valuing.Setting, given: argparse.Namespace) -> None:
    """A cell per seed and size; the tables of both kinds of points."""
    points, truth_items = setting.data.y.size, setting.truth_items
    ends = truth_items[truth_items < points // 2].size
    if not all(ends <= size <= points - ends for size in given.sizes):
        raise SystemExit(
            f"--sizes are {given.sizes}; expected {ends} to {points - ends}, so that both ends have a truth."
        )
    truth = setting.truth(None if given.small else valuing.TRUTHS)
    kept, cells = Cells(given), []
    for seed in range(given.seeds):
        bank = valuing.Bank(setting, seed, [given.samples], given.out and given.out / valuing.LABELS)
        for size in given.sizes:
            record = f"{name}-{setting.name}-{size}-{given.samples}-{seed}"
            cells.append(kept(record, partial(cell, estimates, setting, truth, bank, size, given.samples, seed)))
    cells = [made for made in cells if made is not None]
    for kind, which in KINDS.items():
        for measure in ("error", "Pearson"):
            title = f"{name}, {setting.name}: {measure} on points {which}"
            print(over_sizes(cells, kind, measure, title), end="\n\n", flush=True)


def over_sizes(cells: list[dict], kind: str, measure: str, title: str) -> fastsa.display.Table:
    """A row per size, the methods beside each other, means over seeds with their intervals."""
    methods = {method: None for c in cells for method in c[kind]}
    columns = {method: (kind, method, measure) for method in methods}
    sizes = dict.fromkeys(c["size"] for c in cells)
    rows = {f"{size:,} points": [c for c in cells if c["size"] == size] for size in sizes}
    return cheap_games.table(title, columns, rows)


if __name__ == "__main__":
    main()
