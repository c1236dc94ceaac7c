r"""Question: what are values worth that a network learned in another game: other noise, classes or domain?

    python -m bench.paper.transfer [--data-dir DATA] [--tasks "CIFAR-10, KNN" "Adult, logistic"] [--seeds 5]
        [--minutes 60] [--out FOLDER] [--small]

Three shifts between two pools of 1,200 points:

noise    10 % of the classes flipped, then 40 %
balance  classes as they come, then a half of them (of Adult the commoner one) kept at a quarter
domain   Adult: men, then women. CIFAR-10: animal or vehicle, told on planes, cars, birds, cats and deer, then on ships,
         trucks, dogs, frogs and horses

A network trained on four samples per point of the first game values the points of the second, as it is; told the
second game's influences, which need no labels (`Influences`); and put to scale by a straight line through four samples
of a tenth of the second's points. Beside it a network trained on the second's labels, and those labels themselves. The
error is that on 256 of the second's points, whose truth is 300 samples each, its noise subtracted.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from pathlib import Path

import numpy as np

import fastsa
from bench import data
from bench.curation.noisy_sets import NoisySet, load
from bench.paper import cheap_games
from fastsa.amortize import ValuationNet, baselines
from fastsa.amortize.valuation.informed_start import InformedStart

SAMPLES, FEW = 4, 0.1
SEEN, UNSEEN, ANIMALS = (0, 1, 2, 3, 4), (5, 6, 7, 8, 9), (2, 3, 4, 5, 6, 7)
METHODS = (
    "as it is",
    "as it is, recipe",
    "told the influences",
    "told, and put to scale",
    "trained there",
    "trained there, recipe",
    "Monte Carlo there",
    "Monte Carlo there, shrunk",
    "KNN-Shapley there",
)


@dataclasses.dataclass(frozen=True)
class Everything:
    """The points that pools are drawn from, their classes, and which of them are of the other domain."""

    X: np.ndarray
    y: np.ndarray
    elsewhere: np.ndarray

    @staticmethod
    def of(task: str, folder: Path) -> Everything:
        source = cheap_games.TASKS[task][0]
        whole = load(source, folder, points=30_000, val=0, test=0, flipped=0.0, seed=0)
        if source == "cifar10":
            X = np.ascontiguousarray(whole.X[:, : cheap_games.COMPONENTS])
            return Everything(X, whole.y, np.isin(whole.y, UNSEEN))
        table = data.adult(folder)
        sex = np.flatnonzero(table.variable == table.names.index("sex"))
        women = whole.X[:, sex[0]] > 0
        return Everything(whole.X, whole.y, women)

    def pool(
        self, points: int, kept: np.ndarray, *, flipped: float = cheap_games.FLIPPED, rare: tuple[int, ...] = ()
    ) -> NoisySet:
        """Points of those `kept`, classes `rare` at a quarter in the pool; validation points as they come."""
        rng = np.random.default_rng(2025)
        order = rng.permutation(np.flatnonzero(kept))
        val, order = order[: cheap_games.VALIDATION], order[cheap_games.VALIDATION :]
        left = order[~np.isin(self.y[order], rare) | (rng.random(order.size) < 0.25)][:points]
        classes, y = np.unique(self.y[kept], return_inverse=True)
        encoded = np.searchsorted(classes, self.y)
        given = encoded[left].copy()
        wrong = rng.choice(points, round(flipped * points), replace=False)
        given[wrong] = (given[wrong] + rng.integers(1, classes.size, wrong.size)) % classes.size
        nothing = np.empty((0, self.X.shape[1])), np.empty(0, np.int64)
        return NoisySet(self.X[left], given, encoded[left], self.X[val], encoded[val], *nothing)


def shifts(task: str, folder: Path, points: int) -> Iterator[tuple[str, NoisySet, NoisySet]]:
    """Name, and the pools of the first and the second game."""
    whole = Everything.of(task, folder)
    everywhere = np.ones(whole.y.size, bool)
    plain = whole.pool(points, everywhere)
    yield "noise", plain, whole.pool(points, everywhere, flipped=0.4)
    yield "balance", plain, whole.pool(points, everywhere, rare=SEEN if whole.y.max() > 1 else (0,))
    if whole.y.max() > 1:
        whole = dataclasses.replace(whole, y=np.isin(whole.y, ANIMALS).astype(np.int64))
    yield "domain", whole.pool(points, ~whole.elsewhere), whole.pool(points, whole.elsewhere)


def told(net: ValuationNet, setting: cheap_games.CheapGame) -> np.ndarray:
    """Its values in another game, whose influences take the place of those it was trained with."""
    start, d = net.start_, setting.data
    learned = cheap_games.values(setting, net)
    if not isinstance(start, InformedStart):
        return learned
    own = np.arange(d.y.size), d.y
    moved = dataclasses.replace(start, influences=setting.influences)
    return learned - start.predict_all(d.X)[own] + moved.predict_all(d.X)[own]


def cell(
    first: cheap_games.CheapGame,
    second: cheap_games.CheapGame,
    truth: fastsa.Labels,
    shift: str,
    samples: int,
    seed: int,
) -> dict:
    d, n = second.data, second.data.y.size
    everyone = np.arange(n)
    made = [cheap_games.labels(one, everyone, samples, seed) for one in (first, second)]
    nets = {
        (learner, which): cheap_games.network(setting, cheap_games.of_all(labels, setting), seed, learner)
        for learner in cheap_games.LEARNERS
        for which, setting, labels in (("first", first, made[0]), ("second", second, made[1]))
    }
    mean, count = made[1].mean[:, 0], made[1].count
    variance = count * made[1].stderr[:, 0] ** 2
    few = np.isin(everyone, cheap_games.blocks_in_order(n, seed)[: round(FEW * n)])
    moved = told(nets["informed", "first"], second)
    knn = fastsa.knn_shapley(d.X, d.y, d.X_val, d.y_val, k=5)
    found = dict(
        zip(
            METHODS,
            (
                cheap_games.values(second, nets["informed", "first"]),
                cheap_games.values(second, nets["recipe", "first"]),
                moved,
                baselines.calibrated(moved, mean, count * few),
                cheap_games.values(second, nets["informed", "second"]),
                cheap_games.values(second, nets["recipe", "second"]),
                mean,
                baselines.shrunk(mean, count, variance),
                baselines.calibrated(knn, mean, count),
            ),
            strict=True,
        )
    )
    scores = {method: cheap_games.scores(values[second.truth_items], truth) for method, values in found.items()}
    return {"shift": shift, "seed": seed, "scores": scores, "start": type(nets["informed", "first"].start_).__name__}


def main(arguments: list[str] | None = None) -> None:
    given = cheap_games.parse(__doc__, arguments)
    folder = data.folder(given.data_dir)
    points, truth_points, truth_samples = (200, 64, 10) if given.small else (1200, 256, 300)
    for task in given.tasks:
        cells = []
        for shift, *pools in shifts(task, folder, points):
            if given.small and shift != "domain":
                continue
            name = f"transfer-{cheap_games.slug(task)}-{shift}-{points}"
            first, second = (
                cheap_games.of_pool(task, name, pool, truth_points=truth_points, truth_samples=truth_samples)
                for pool in pools
            )
            truth = cheap_games.truth_of(second, given)
            cells += cheap_games.recorded(
                [
                    cheap_games.job(f"{name}-{seed}", cell, first, second, truth, shift, SAMPLES, seed)
                    for seed in range(given.seeds)
                ],
                given,
            )
        for measure in ("error", "Pearson"):
            rows = {method: [{c["shift"]: c["scores"][method][measure]} for c in cells] for method in METHODS}
            columns = {shift: (shift,) for shift in dict.fromkeys(c["shift"] for c in cells)}
            print(cheap_games.table(f"{task}: {measure} in the second game", columns, rows), end="\n\n", flush=True)


if __name__ == "__main__":
    main()
