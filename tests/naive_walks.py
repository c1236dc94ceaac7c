"""Walks by their definition: the multiset of players behind every value, one by one."""

from __future__ import annotations

import numpy as np


def multisets_behind(walks) -> list[list[int]]:
    """For every value in its order: row by row, the scored prefixes, then every branch joined to the whole row."""
    behind = []
    for row in range(walks.offsets.size - 1):
        players = walks.players[walks.offsets[row] : walks.offsets[row + 1]].tolist()
        for position in walks.scored[walks.scored_offsets[row] : walks.scored_offsets[row + 1]]:
            behind.append(players[:position])
        for branch in walks.branches[walks.branch_offsets[row] : walks.branch_offsets[row + 1]]:
            behind.append([*players, int(branch)])
    return behind


def as_booleans(multisets, n_players) -> np.ndarray:
    """Which players are in each multiset at all."""
    members = np.zeros((len(multisets), n_players), dtype=bool)
    for row, multiset in enumerate(multisets):
        members[row, multiset] = True
    return members


def ragged(rows, dtype=np.int32) -> tuple[np.ndarray, np.ndarray]:
    """Rows of unequal length as flat entries and offsets."""
    offsets = np.cumsum([0, *map(len, rows)]).astype(np.int64)
    return np.array([entry for row in rows for entry in row], dtype=dtype), offsets


def walks_of(players, scored, branches, **options):
    """Walks from nested lists."""
    from fastsa.ops import Walks

    return Walks(*ragged(players), *ragged(scored), *ragged(branches), **options)


def random_walks(rng, n_players, rows, *, longest=12, most_branches=6, replacement=True, n_points=None):
    """Walks of all shapes: empty ones, some never scored, positions scored twice, branches inside and outside."""
    players, scored, branches = [], [], []
    for _ in range(rows):
        length = int(rng.integers(0, longest + 1))
        if not replacement:
            length = min(length, n_players)
        players.append(rng.choice(n_players, size=length, replace=replacement).tolist())
        scored.append(sorted(rng.integers(0, length + 1, size=rng.integers(0, 4)).tolist()))
        branches.append(rng.integers(0, n_points or n_players, size=rng.integers(0, most_branches + 1)).tolist())
    return walks_of(players, scored, branches)
