"""shapiq's approximators on games that are given as tables: estimates and evaluations spent, of every game.
Environment: Python 3.12 or later, pip install "shapiq==1.8.0" lightgbm xgboost (or xgboost-cpu), for the proxies it recommends.

    rivals_shapiq.py GAMES.npz OUT.npz BUDGET SEED

GAMES holds "tables" [games, 2 ** players], bit j of a coalition being player j, and may hold what coalitions are worth under
each background row: in "values", from "offset" [games, rows] on, those of the players whose bits are in "differ" [games,
rows]. Then every coalition but the empty one is worth what it is under a row drawn at random. OUT holds "estimates" and
"evaluations" of each approximator. Budgets count the empty coalition and that of all. Where there is an option, coalitions
are drawn in pairs.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np
from shapiq.approximator import (
    SVARM,
    KernelSHAP,
    LeverageSHAP,
    OddSHAP,
    PermutationSamplingSV,
    PolySHAP,
    ProxySHAP,
    RegressionMSR,
    UnbiasedKernelSHAP,
)

APPROXIMATORS: dict[str, Callable[[int, int], Any]] = {
    "PermutationSamplingSV": lambda n, seed: PermutationSamplingSV(n, random_state=seed),
    "SVARM": lambda n, seed: SVARM(n, pairing_trick=True, random_state=seed),
    "UnbiasedKernelSHAP": lambda n, seed: UnbiasedKernelSHAP(n, pairing_trick=True, random_state=seed),
    "KernelSHAP": lambda n, seed: KernelSHAP(n, pairing_trick=True, random_state=seed),
    "LeverageSHAP": lambda n, seed: LeverageSHAP(n, random_state=seed),
    "PolySHAP, order 2": lambda n, seed: PolySHAP(n, max_order=2, pairing_trick=True, random_state=seed),
    "OddSHAP": lambda n, seed: OddSHAP(n, random_state=seed),
    "RegressionMSR, linear": lambda n, seed: RegressionMSR(n, "SV", proxy_model="linear", random_state=seed),
    "RegressionMSR, trees": lambda n, seed: RegressionMSR(n, "SV", random_state=seed),
    "ProxySHAP": lambda n, seed: ProxySHAP(n, max_order=1, index="SV", random_state=seed),
}
FEWEST = {"PolySHAP, order 2": lambda n: 2 + n + n * (n - 1) // 2}  # that determine it


class Table:
    """A game of known values, above that of the empty coalition; counts what it is asked for."""

    def __init__(self, table: np.ndarray, behind: tuple[np.ndarray, ...] | None, seed: int) -> None:
        self._table, self._behind, self._rng = table.astype(np.float64), behind, np.random.default_rng(seed)
        self.players = int(table.size).bit_length() - 1
        self.evaluations = 0

    def __call__(self, coalitions: np.ndarray) -> np.ndarray:
        masks = np.atleast_2d(coalitions).astype(np.int64) @ 2 ** np.arange(self.players)
        self.evaluations += masks.size
        if self._behind is None:
            return self._table[masks] - self._table[0]
        differ, offset, values = self._behind
        rows = self._rng.integers(0, differ.size, masks.size)
        place, passed = offset[rows].copy(), np.zeros(masks.size, np.int64)
        for player in range(self.players):
            seen = differ[rows] >> player & 1
            place += (masks >> player & seen) << passed
            passed += seen
        return np.where(masks == 0, 0.0, values[place] - self._table[0])


def estimate(name: str, game: Table, budget: int, seed: int) -> np.ndarray:
    """Values of the players."""
    found = APPROXIMATORS[name](game.players, seed).approximate(budget, game)
    return np.array([found[(player,)] for player in range(game.players)])


def main() -> None:
    given, out, budget, seed = np.load(sys.argv[1]), sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
    tables = given["tables"]
    backgrounds = [None] * len(tables)
    if "differ" in given:
        values = given["values"]
        backgrounds = [
            (differ, offset, values) for differ, offset in zip(given["differ"], given["offset"], strict=True)
        ]
    done = {}
    for name in APPROXIMATORS:
        start = time.process_time()
        games = [Table(*pair, 100_000 * seed + i) for i, pair in enumerate(zip(tables, backgrounds, strict=True))]
        if name in FEWEST and budget < FEWEST[name](games[0].players):
            continue
        made = [estimate(name, game, budget, 100_000 * seed + i) for i, game in enumerate(games)]
        done[f"{name}/estimates"] = np.stack(made)
        done[f"{name}/evaluations"] = np.mean([game.evaluations for game in games])
        print(f"{name} {(time.process_time() - start) / len(tables)}", flush=True)
    np.savez(out, **done)


if __name__ == "__main__":
    main()
