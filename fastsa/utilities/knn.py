"""The nearest-neighbour utility: one pass over the validation points per player that joins."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fastsa import _checks, _core, _threads
from fastsa.ops import Walks
from fastsa.utilities.data import SupervisedData, count_outputs

_SCORES = {"accuracy": 0, "vote": 1, "correct": 2, "votes": 3}
_PER_POINT = ("correct", "votes")
_OF_VOTES = ("vote", "votes")
_POINTS_PER_CHUNK = 64
_STEPS_PER_CHUNK = 1 << 17


@dataclass(frozen=True)
class KNN:
    """Validation score of the k nearest members of the coalition, by Euclidean distance.

    Neighbours are ranked by (distance, index). Below k members all of them vote.

    Parameters
    ----------
    k : neighbours, at least 1. Default 5.
    score : "accuracy" (default) of the most frequent class, the smallest where several are; or "vote": the share of the
        k votes that go to the right class, (1 / k) * the number of neighbours of the point's class, averaged over
        validation points (the utility of KNN-Shapley; Jia et al., PVLDB 2019, eq. 5); or, one output per validation
        point, "correct" (1 or 0) and "votes" (its share of the k votes), whose means are accuracy and vote.
    empty : score of the empty coalition; default 1 / classes for accuracy and 0 for votes.

    Raises ValueError for k < 1, an unknown score, or an empty score that is not finite.

    >>> import fastsa
    >>> fastsa.utilities.KNN(3).empty_score(n_classes=4)
    0.25
    """

    k: int = 5
    score: str = "accuracy"
    empty: float | None = None

    def __post_init__(self) -> None:
        # Settled as int and float, so that equal utilities print alike and games of them have one fingerprint.
        object.__setattr__(self, "k", _checks.count("k", self.k, most=2**15))
        _checks.choice("score", self.score, _SCORES)
        if self.empty is not None:
            object.__setattr__(self, "empty", _checks.number("empty", self.empty))

    @property
    def n_outputs(self) -> int | None:
        return None if self.score in _PER_POINT else 1

    def empty_score(self, n_classes: int) -> float:
        if self.empty is not None:
            return self.empty
        return 0.0 if self.score in _OF_VOTES else 1.0 / n_classes

    def prepare(self, data: SupervisedData) -> PreparedKNN:
        return PreparedKNN(self, data)


class PreparedKNN:
    """Distances from every point to a tile of validation points, computed tile by tile under `max_bytes`."""

    def __init__(self, utility: KNN, data: SupervisedData) -> None:
        self._utility = utility
        self._data = data
        self._whole: NDArray[np.float64] | None = None

    def walk(
        self, walks: Walks, *, max_bytes: int, n_threads: int | None, cancel: _threads.Cancel
    ) -> NDArray[np.float64]:
        """Values [walks.n_values, outputs]."""
        utility, data = self._utility, self._data
        n_val = data.y_val.size
        n_outputs = count_outputs(utility, n_val)
        earned = np.zeros((walks.n_values, n_outputs), dtype=np.float64)
        view = _core.Walks(*walks.arrays, n_outputs, walks.many_branches)
        tile = min(n_val, max(1, max_bytes // (2 * 8 * data.y.size)))
        for first in range(0, n_val, tile):
            part = slice(first, min(first + tile, n_val))
            distances = self._distances(part, n_threads, cancel)
            problem = _core.KnnTile(
                distances, data.y, data.y_val[part], data.n_classes, utility.k, _SCORES[utility.score], first
            )
            n_bytes = _core.knn_workspace(distances.shape[1], utility.k)

            def kernel(begin: int, end: int, flag: NDArray[np.int32], problem=problem, n_bytes=n_bytes) -> None:
                _core.walk_knn(problem, view, begin, end, earned, _threads.scratch(n_bytes), flag)

            chunk = walks.rows_per_chunk(_STEPS_PER_CHUNK // distances.shape[1])
            _threads.run(kernel, walks.rows, chunk=chunk, n_threads=n_threads, cancel=cancel)
        points = 1 if utility.score in _PER_POINT else n_val
        earned /= points * utility.k if utility.score in _OF_VOTES else points
        return earned

    def _distances(self, part: slice, n_threads: int | None, cancel: _threads.Cancel) -> NDArray[np.float64]:
        """Squared distances [points, validation points of the part]; kept when the part is everything."""
        data = self._data
        everything = part == slice(0, data.y_val.size)
        if everything and self._whole is not None:
            return self._whole
        distances = np.empty((data.y.size, part.stop - part.start), dtype=np.float64)
        val_transposed = np.ascontiguousarray(data.X_val[part].T)

        def kernel(begin: int, end: int, flag: NDArray[np.int32]) -> None:
            _core.squared_distances(distances, data.X, val_transposed, begin, end, flag)

        _threads.run(kernel, data.y.size, chunk=_POINTS_PER_CHUNK, n_threads=n_threads, cancel=cancel)
        if everything:
            self._whole = distances
        return distances
