"""Distributional Shapley values: contributions to coalitions drawn from the pool with replacement."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from fastsa.estimators.contributions import Draw, MeanEstimator
from fastsa.estimators.estimator import Part
from fastsa.games import Game
from fastsa.ops import Walks, draws_with_replacement

_MANY_BRANCHES = 4  # from here on, what it takes to prepare a coalition for them is repaid


@dataclass(frozen=True)
class Distributional(MeanEstimator):
    """Distributional Shapley values (Ghorbani, Kim and Zou, ICML 2020) over a law of sizes.

    One sample of a point z draws a size uniform on min_size .. max_size (default 100 .. 999, the law of Covert et al.,
    NeurIPS 2024, for CIFAR-10), then as many points of the pool with replacement (z itself may be among them), and
    contributes v(S + z) - v(S). Points outside the pool can be valued too.

    `shared=k` lets one coalition serve the k items whose ids lie in one block of k (id // k): its fit is paid once. Each
    label stays unbiased; the errors of the items of a block are correlated (cross-fit by sample, not by item). With shared=1 labels of different items are independent.

    Raises ValueError for min_size > max_size, a negative size, or shared < 1.

    >>> import fastsa
    >>> fastsa.estimators.Distributional(min_size=2, max_size=3).size_law(10).tolist()
    [0.0, 0.0, 0.5, 0.5]
    """

    min_size: int = 100
    max_size: int = 999
    shared: int = 1
    unit: ClassVar[str] = "coalition and the point added to it"
    shares_draws: ClassVar[bool] = False
    replacement: ClassVar[bool] = True

    def __post_init__(self) -> None:
        self._settle("min_size", least=0)
        self._settle("max_size", least=self.min_size)
        self._settle("shared", least=1)

    @property
    def estimand(self) -> str:
        return (
            f"mean over sizes t = {self.min_size} .. {self.max_size} and multisets T of t points, each uniform on the "
            "pool, of v(T + z) - v(T)"
        )

    @property
    def item_block(self) -> int:
        return self.shared

    def size_law(self, n_players: int) -> NDArray[np.float64]:
        law = np.zeros(self.max_size + 1)
        law[self.min_size :] = 1.0 / (self.max_size + 1 - self.min_size)
        return law

    def check(self, game: Game, items: NDArray[np.int64], samples: int) -> None:
        if game.item_players is None:
            raise ValueError(
                "Distributional values points of a data set; for the features of inputs use PermutationShapley."
            )

    def evaluations(self, game: Game, items: NDArray[np.int64]) -> float:
        return items.size + np.unique(game.ids[items] // np.uint64(self.shared)).size

    def n_bytes(self, game: Game, items: NDArray[np.int64]) -> float:
        blocks = np.unique(game.ids[items] // np.uint64(self.shared)).size
        walk = 4 * (self.min_size + self.max_size) / 2
        return blocks * (walk + 64) + items.size * (4 + 3 * 8 + 8 * game.n_outputs)

    def draw(self, game: Game, part: Part, *, n_threads: int | None) -> Draw:
        items, samples = part.items, part.span.samples
        blocks, block_of_item = np.unique(game.ids[items] // np.uint64(self.shared), return_inverse=True)
        players, offsets = draws_with_replacement(
            game.n_players,
            np.tile(blocks, samples),
            np.repeat(np.arange(part.span.first, part.span.stop).astype(np.uint32), blocks.size),
            min_size=self.min_size,
            max_size=self.max_size,
            seed=part.span.seed,
            role=part.span.role,
            n_threads=n_threads,
        )
        by_block = np.argsort(block_of_item, kind="stable")
        rows = samples * blocks.size
        branches_per_row = np.tile(np.bincount(block_of_item, minlength=blocks.size), samples)
        branch_offsets = np.zeros(rows + 1, dtype=np.int64)
        np.cumsum(branches_per_row, out=branch_offsets[1:])
        walks = Walks(
            players,
            offsets,
            np.diff(offsets).astype(np.int32),
            np.arange(rows + 1, dtype=np.int64),
            np.tile(game.item_players[items[by_block]], samples),
            branch_offsets,
            self.shared >= _MANY_BRANCHES,
        )
        trunk_of_branch = np.repeat(walks.scored_values, branches_per_row)
        return Draw(walks, np.tile(items[by_block], samples), walks.branch_values, trunk_of_branch)
