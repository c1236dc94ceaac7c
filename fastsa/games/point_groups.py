"""Groups of training points as players: which points each brings, and walks of groups as walks of their points."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastsa.ops import Walks

_BYTES_PER_POINT = 16  # of an expanded walk: its int32 player, and the int64 and int32 while it is made


@dataclass(frozen=True)
class PointGroups:
    """Players that bring several points each: player p brings points[offsets[p] : offsets[p + 1]], in ascending order.

    ids uint64 [groups]; points int32 [points], each once; offsets int64 [groups + outside + 1]. Points outside the pool
    follow the groups as players of one point.
    """

    ids: NDArray[np.uint64]
    points: NDArray[np.int32]
    offsets: NDArray[np.int64]

    @property
    def n_groups(self) -> int:
        return self.ids.size

    @cached_property
    def sizes(self) -> NDArray[np.int64]:
        return np.diff(self.offsets)

    @property
    def outside(self) -> int:
        return self.offsets.size - 1 - self.n_groups

    @property
    def are_the_points(self) -> bool:
        """Whether every player brings the one point of its own number, so that there is nothing to expand."""
        return np.array_equal(self.points, np.arange(self.sizes.size))

    def walks_of_points(self, walks: Walks, max_bytes: int) -> Iterator[Walks]:
        """The rows in order, as walks of points that score the same coalitions in the same order.

        In parts that take about `max_bytes`, a row at least. A group that joins alone is a row of its own, since a branch
        is one point.
        """
        if not self.outside or walks.branches.min(initial=self.n_groups) < self.n_groups:
            walks = _branches_as_rows(walks)
        reached = np.concatenate([[0], np.cumsum(self.sizes[walks.players])])
        offsets = reached[walks.offsets]
        begin = 0
        while begin < walks.rows:
            within = np.searchsorted(offsets, offsets[begin] + max_bytes // _BYTES_PER_POINT, side="right") - 1
            end = min(walks.rows, max(begin + 1, int(within)))
            yield self._of_points(walks.take(begin, end))
            begin = end

    def _of_points(self, walks: Walks) -> Walks:
        sizes = self.sizes[walks.players]
        reached = np.concatenate([[0], np.cumsum(sizes)])
        offsets = reached[walks.offsets]
        row = np.repeat(np.arange(walks.rows), np.diff(walks.scored_offsets))
        scored = reached[walks.offsets[row] + walks.scored] - offsets[row]
        branches = walks.branches
        return replace(
            walks,
            players=self.points[_ragged(self.offsets[walks.players], sizes)],
            offsets=offsets,
            scored=scored.astype(np.int32),
            branches=self.points[self.offsets[branches]],
        )


def point_groups(groups: Any, n_points: int, n_outside: int = 0) -> PointGroups:
    """Groups as users give them: an integer for each point, or an array of positions for each group.

    Raises TypeError or ValueError for groups of another kind or length, for positions beyond the points, and, naming group
    and point, for a group without points, points in two groups or twice in one, and points in none.
    """
    of_points = _of_arrays(groups, n_points) if _are_arrays(groups) else _of_points(groups, n_points)
    ids, group = np.unique(of_points, return_inverse=True)
    order = np.argsort(group, kind="stable")
    sizes = np.concatenate([np.bincount(group), np.ones(n_outside, np.int64)])
    points = np.concatenate([order, np.arange(n_points, n_points + n_outside)])
    return PointGroups(ids.astype(np.uint64), points.astype(np.int32), np.concatenate([[0], np.cumsum(sizes)]))


def _are_arrays(groups: Any) -> bool:
    if isinstance(groups, (list, tuple)):
        return len(groups) > 0 and np.ndim(groups[0]) == 1
    return np.ndim(groups) == 2


def _of_points(groups: Any, n_points: int) -> NDArray[np.int64]:
    given = np.asarray(groups)
    if given.dtype.kind not in "iu":
        raise TypeError(
            f"groups have dtype {given.dtype}; expected an integer for each point, such as "
            "numpy.unique(names, return_inverse=True)[1], or an array of positions for each group."
        )
    if given.shape != (n_points,):
        raise ValueError(f"groups have shape {given.shape}; expected the group of each of {n_points} points.")
    least, most = int(given.min()), int(given.max())
    if least < 0 or most >= 2**48:
        raise ValueError(f"groups reach from {least} to {most}; expected integers from 0 to 2**48 - 1.")
    return given.astype(np.int64)


def _of_arrays(groups: Any, n_points: int) -> NDArray[np.int64]:
    """The group of each point, from the positions of each group."""
    of_points = np.full(n_points, -1, dtype=np.int64)
    for group, given in enumerate(groups):
        positions = np.asarray(given)
        if positions.ndim != 1 or positions.size == 0:
            raise ValueError(
                f"group {group} has shape {positions.shape}; expected the positions of its points, one at least."
            )
        if positions.dtype.kind not in "iu":
            raise TypeError(
                f"group {group} has dtype {positions.dtype}; expected integer positions, such as numpy.flatnonzero(mask)."
            )
        if positions.min() < 0 or positions.max() >= n_points:
            raise ValueError(
                f"group {group} reaches from {positions.min()} to {positions.max()}; expected 0 to {n_points - 1}."
            )
        taken = of_points[positions] >= 0
        if taken.any():
            point = int(positions[taken][0])
            raise ValueError(
                f"groups {of_points[point]} and {group} both hold point {point}; give each point to one group."
            )
        of_points[positions] = group
        values, counts = np.unique(positions, return_counts=True)
        if (counts > 1).any():
            raise ValueError(f"group {group} holds point {values[counts > 1][0]} twice; name every point once.")
    missing = np.flatnonzero(of_points < 0)
    if missing.size:
        more = f" and {missing.size - 1} more" if missing.size > 1 else ""
        raise ValueError(f"none of {len(groups)} groups holds point {missing[0]}{more}; give each point to one group.")
    return of_points


def _branches_as_rows(walks: Walks) -> Walks:
    """Each branch a row of its own after the row that it joins, so that the values keep their order. Lanes are let go."""
    if walks.branches.size == 0:
        return walks
    n_branches = np.diff(walks.branch_offsets)
    old = np.repeat(np.arange(walks.rows), 1 + n_branches)
    first = np.zeros(old.size, dtype=np.bool_)
    first[walks.branch_offsets[:-1] + np.arange(walks.rows)] = True
    sizes = walks.sizes[old] + ~first
    offsets = np.concatenate([[0], np.cumsum(sizes)])
    players = np.empty(offsets[-1], dtype=np.int32)
    joins = np.zeros(players.size, dtype=np.bool_)
    joins[offsets[1:][~first] - 1] = True
    players[joins] = walks.branches
    players[~joins] = walks.players[_ragged(walks.offsets[old], walks.sizes[old])]
    n_scored = np.where(first, np.diff(walks.scored_offsets)[old], 1)
    scored_offsets = np.concatenate([[0], np.cumsum(n_scored)])
    scored = np.empty(scored_offsets[-1], dtype=np.int32)
    ends = np.zeros(scored.size, dtype=np.bool_)
    ends[scored_offsets[:-1][~first]] = True
    scored[ends] = sizes[~first]
    scored[~ends] = walks.scored
    none = np.zeros(old.size + 1, dtype=np.int64)
    return Walks(players, offsets, scored, scored_offsets, np.empty(0, np.int32), none)


def _ragged(starts: NDArray[np.int64], sizes: NDArray[np.int64]) -> NDArray[np.int64]:
    """starts[0], starts[0] + 1, ... for sizes[0] numbers, then those of starts[1], ..."""
    ends = np.cumsum(sizes)
    return np.arange(ends[-1] if ends.size else 0) + np.repeat(starts - ends + sizes, sizes)


__all__ = ["PointGroups", "point_groups"]
