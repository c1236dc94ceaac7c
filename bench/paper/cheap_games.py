"""Three real games whose labels are nearly free, a network trained on some of their points, cells kept as records."""

from __future__ import annotations

import argparse
import dataclasses
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import numpy as np

import fastsa
from bench import data
from bench.curation.noisy_sets import NoisySet, load
from bench.paper import options, valuing
from bench.paper.cells import Cells
from bench.paper.recipe import pretrained
from fastsa.amortize import Influences, ValuationNet
from fastsa.display import Table
from fastsa.metrics import agreement
from fastsa.planning import ItemLabels

TASKS = {
    "CIFAR-10, KNN": ("cifar10", fastsa.utilities.KNN(5)),
    "Adult, logistic": ("adult", fastsa.utilities.Logistic()),
    "Adult, KNN": ("adult", fastsa.utilities.KNN(5)),
}
LEARNERS = ("informed", "recipe")
FLIPPED, VALIDATION, COMPONENTS, SHARED = 0.1, 200, 64, 4
_LAW = {"min_size": 10, "max_size": 100}
_EPOCHS = 10  # of all points; of fewer points more, so that every network makes as many steps


class KnownInfluences(Influences):
    """The influences of the points of one pool, computed once for all networks."""

    @staticmethod
    def of_pool(influences: Influences, X: np.ndarray) -> KnownInfluences:
        known = KnownInfluences(**influences.arrays())
        object.__setattr__(known, "_X", X)
        object.__setattr__(known, "_answer", influences.of(X))
        return known

    def of(self, X: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return self._answer if np.array_equal(X, self._X) else super().of(X)


@dataclass(frozen=True)
class CheapGame(valuing.Setting):
    """A setting that keeps what its networks know before any label."""

    @cached_property
    def influences(self) -> KnownInfluences:
        return KnownInfluences.of_pool(super().influences, self.data.X)

    @cached_property
    def _bodies(self) -> dict:
        return {}

    def body(self, seed: int, hidden: tuple[int, ...]) -> Any:
        """A network's layers pretrained as a classifier of the pool."""
        if (seed, hidden) not in self._bodies:
            X, y = self.data.X, self.data.y
            self._bodies[seed, hidden] = pretrained(
                X, y, n_classes=self.n_classes, hidden=hidden, seed=seed, n_threads=1
            )
        return self._bodies[seed, hidden]


def of_pool(task: str, name: str, pool: NoisySet, *, truth_points: int, truth_samples: int) -> CheapGame:
    """Distributional values over coalitions of 10 to 100 points; the last `truth_points` have a truth."""
    n = pool.y.size
    return CheapGame(
        name=name,
        data=pool,
        utility=TASKS[task][1],
        estimator=fastsa.estimators.Distributional(**_LAW, shared=SHARED),
        truth_items=np.arange(n - truth_points, n),
        truth_samples=truth_samples,
        truth_estimator=fastsa.estimators.Distributional(**_LAW, shared=32),
    )


def pool_of(task: str, folder: Path, points: int, flipped: float = FLIPPED) -> NoisySet:
    source = TASKS[task][0]
    pool = load(source, folder, points=points, val=VALIDATION, test=0, flipped=flipped, seed=0)
    return leading(pool, COMPONENTS) if source == "cifar10" else pool


def settings(given: argparse.Namespace) -> dict[str, CheapGame]:
    """Pools of 2,400 points by task, the last 400 of known truth; small ones of 400 and 100."""
    points, truth_points, truth_samples = (400, 100, 10) if given.small else (2400, 400, 1000)
    folder = data.folder(given.data_dir)
    return {
        task: of_pool(
            task,
            f"{slug(task)}-{points}",
            pool_of(task, folder, points),
            truth_points=truth_points,
            truth_samples=truth_samples,
        )
        for task in given.tasks
    }


def leading(pool: NoisySet, components: int) -> NoisySet:
    """The same with the first `components` features only."""
    cut = {name: np.ascontiguousarray(getattr(pool, name)[:, :components]) for name in ("X", "X_val", "X_test")}
    return dataclasses.replace(pool, **cut)


def slug(task: str) -> str:
    return task.lower().replace(",", "").replace(" ", "-")


def blocks_in_order(n: int, seed: int) -> np.ndarray:
    """Positions 0 .. n - 1, those that share draws together, blocks in an order of the seed."""
    order = np.random.default_rng([seed, 77]).permutation(-(-n // SHARED))
    positions = (order[:, None] * SHARED + np.arange(SHARED)).ravel()
    return positions[positions < n]


def labels(setting: CheapGame, positions: np.ndarray, samples: int, seed: int, *, first: int = 0) -> fastsa.Labels:
    """`samples` labels of role "train" of the points at `positions`."""
    return fastsa.LabelStream(
        setting.game, setting.estimator, samples=samples, first_sample=first, items=np.sort(positions), seed=seed,
        n_threads=1,
    ).collect()  # fmt: skip


def of_all(made: fastsa.Labels, setting: CheapGame) -> ItemLabels:
    """Labels of some points as those of all, the others without a sample."""
    return ItemLabels.of(made, made.ids.astype(np.int64), setting.data.y.size)


def network(
    setting: CheapGame, given: ItemLabels, seed: int, learner: str = "informed", *, hidden: tuple[int, ...] = (128, 128)
) -> ValuationNet:
    """Trained on four fifths of the labelled points, the epoch and the start chosen on the others.

    "informed" is the default with influences, "recipe" start="constant" of a pretrained network, the paper's. All
    points of the pool take part in what needs no labels. Blocks of points that share draws stay together.
    """
    d, n = setting.data, setting.data.y.size
    block = np.arange(n) // SHARED
    there = np.unique(block[given.count > 0])
    kept_back = np.random.default_rng([seed, 5]).permutation(there)[: max(1, there.size // 5)]
    chosen = np.isin(block, kept_back)
    steps = {"epochs": round(_EPOCHS * n / (given.count > 0).sum()), "seed": seed, "n_threads": 1}
    if learner == "informed":
        net, influences = ValuationNet(hidden=hidden, **steps), setting.influences
    else:
        body = setting.body(seed, hidden)
        net, influences = ValuationNet(body, start="constant", pretrain_epochs=0, **steps), None
    return net.fit(
        d.X, d.y, given.only(~chosen), select=given.only(chosen), n_classes=setting.n_classes, influences=influences
    )


def values(setting: CheapGame, net: ValuationNet) -> np.ndarray:
    return net.predict(setting.data.X, setting.data.y)


def scores(estimate: np.ndarray, truth: fastsa.Labels, places: np.ndarray | slice = slice(None)) -> dict[str, float]:
    """Error and Pearson of values of the points of known truth, or of those at `places` among them."""
    agreed = agreement(estimate[places], truth.mean[places, 0], truth_variance=truth.stderr[places, 0] ** 2)
    return {"error": agreed.normalized_error, "Pearson": agreed.pearson_corrected}


Job = tuple[str, Callable[[], dict]]


def recorded(jobs: Iterable[Job], given: argparse.Namespace) -> list[dict]:
    """What every job answers, by `cells.Cells`; those that were not begun are left out."""
    cell = Cells(given)
    made = [cell(name, compute) for name, compute in jobs]
    return [record for record in made if record is not None]


def job(name: str, compute: Callable[..., dict], *arguments: object) -> Job:
    return name, partial(compute, *arguments)


def truth_of(setting: CheapGame, given: argparse.Namespace) -> fastsa.Labels:
    return setting.truth(None if given.small else valuing.TRUTHS)


def parse(doc: str | None, arguments: list[str] | None) -> argparse.Namespace:
    parser = options.parser_of(doc, minutes=60.0)
    parser.add_argument("--tasks", nargs="+", choices=tuple(TASKS), default=list(TASKS)[:2])
    given = parser.parse_args(arguments)
    if given.small:
        given.seeds, given.tasks = 1, given.tasks[:1]
    return given


def mean_and_interval(cells: list[dict], *path: str) -> tuple[float | None, tuple[float, float] | None]:
    """Over seeds, of the number found in every cell along `path`; (None, None) where cells have none."""
    values = []
    for cell in cells:
        for key in path:
            cell = cell.get(key) if isinstance(cell, dict) else None
        if cell is not None:
            values.append(float(cell))
    return valuing.over_seeds(values) if values else (None, None)


def table(title: str, columns: dict[str, tuple], rows: dict[str, list[dict]], notes: tuple[str, ...] = ()) -> Table:
    """Rows of cells over seeds: of every column, a path into a cell, the mean and its interval."""
    head, lines = [""], []
    for i, name in enumerate(columns):
        head += [name, "95 % interval" + " " * i]
    for name, cells in rows.items():
        lines.append((name, *(part for path in columns.values() for part in mean_and_interval(cells, *path))))
    return Table(tuple(head), tuple(lines), notes, title)
