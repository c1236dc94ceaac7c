"""What is made along walks is, byte for byte, what their coalitions say: masked inputs, and the sums of a linear layer."""

from __future__ import annotations

import numpy as np
import pytest

from fastsa import _core, ops
from fastsa.ops.masked import MaskedWalks, entries_of_players
from fastsa.ops.running_sums import Rows, write_running_sums

ITEMS, BACKGROUND = 4, 5


def rows(n, entries, dtype, seed):
    return np.random.default_rng(seed).normal(size=(n, entries)).astype(dtype)


def odd_walks(n_players, n_walks, seed):
    """Walks of unlike lengths whose players repeat, scored here and there, with guests who may be members already."""
    rng = np.random.default_rng(seed)
    parts = [[], [], []]
    for _ in range(n_walks):
        length = int(rng.integers(0, 2 * n_players))
        parts[0].append(rng.integers(0, n_players, length))
        parts[1].append(np.sort(rng.integers(0, length + 1, rng.integers(0, 4))))
        parts[2].append(rng.integers(0, n_players, rng.integers(0, 4)))
    flat = [np.concatenate(p).astype(np.int32) for p in parts]
    offsets = [np.append(0, np.cumsum([len(x) for x in p])).astype(np.int64) for p in parts]
    lanes = ops.Lanes(rng.integers(0, ITEMS, n_walks))
    return ops.Walks(flat[0], offsets[0], flat[1], offsets[1], flat[2], offsets[2], lanes=lanes)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("entries, players", [(9, 9), (40, 9), (1100, 9)])
def test_masked_along_walks_is_masked_of_their_memberships_from_any_value_on(dtype, entries, players):
    walks = odd_walks(players, 30, seed=entries)
    inputs, behind = rows(ITEMS, entries, dtype, 1), rows(BACKGROUND, entries, dtype, 2)
    inputs[0, 0], behind[-1, -1] = np.nan, np.inf
    drawn = np.random.default_rng(3).integers(0, BACKGROUND, walks.rows)
    player_of = None
    if entries > players:
        player_of = np.random.default_rng(4).permutation(np.arange(entries) % players).astype(np.int32)
    by_player = None if player_of is None else entries_of_players(player_of, players)
    repeats = np.diff(walks.value_offsets)
    expected = ops.masked(
        inputs,
        np.repeat(walks.lanes.items, repeats),
        ops.memberships(walks, players),
        behind,
        np.repeat(drawn, repeats),
        player_of=player_of,
    )
    assert walks.branches.size > 20 and walks.scored.size > 20
    for first in (0, 1, 17, walks.n_values - 1):
        out = np.full((walks.n_values - first, entries), 7, dtype)
        MaskedWalks(inputs, walks, behind, drawn, by_player).write(out, first, n_threads=1)
        assert out.tobytes() == expected[first:].tobytes()


def test_threads_mask_along_walks_alike():
    walks = odd_walks(9, 400, seed=5)
    inputs, behind, drawn = rows(ITEMS, 9, np.float32, 1), rows(1, 9, np.float32, 2), np.zeros(walks.rows, np.int64)
    outs = [np.empty((walks.n_values, 9), np.float32) for _ in range(2)]
    for out, n_threads in zip(outs, (1, 2), strict=True):
        MaskedWalks(inputs, walks, behind, drawn, None).write(out, 0, n_threads=n_threads)
    assert outs[0].tobytes() == outs[1].tobytes()


def summed_in_numpy(starts, joining, columns, own, by_player):
    sums = [starts]
    for players in joining.T:
        added = np.zeros_like(starts)
        for walk, player in enumerate(players):
            apart = own.inputs[own.items[walk]] - own.background[own.behind[walk]]
            entries = (
                [player] if by_player is None else by_player.entries[slice(*by_player.offsets[player : player + 2])]
            )
            for e in entries:
                added[walk] = added[walk] + columns[e] * apart[e]
        sums.append(sums[-1] + added)
    return np.stack(sums, axis=1)


def drawn_sums(entries, players, units, dtype):
    rng = np.random.default_rng(units)
    player_of = None if entries == players else rng.permutation(np.arange(entries) % players).astype(np.int32)
    own = Rows(
        rows(ITEMS, entries, dtype, 1),
        rng.integers(0, ITEMS, 12),
        rows(BACKGROUND, entries, dtype, 2),
        rng.integers(0, BACKGROUND, 12),
    )
    joining = np.stack([rng.permutation(players)[:7] for _ in range(12)]).astype(np.int32)
    by_player = None if player_of is None else entries_of_players(player_of, players)
    return rows(12, units, dtype, 3), joining, rows(entries, units, dtype, 4), own, by_player


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("entries, units", [(9, 1), (9, 33), (30, 256)])
def test_running_sums_are_numpys_sums_in_the_same_order(dtype, entries, units):
    given = drawn_sums(entries, 9, units, dtype)
    expected = summed_in_numpy(*given)
    out = np.full(expected.shape, 7, dtype)
    write_running_sums(*given, out, n_threads=2)
    assert out.tobytes() == expected.tobytes()
    write_running_sums(*given, out, rectified=True, n_threads=1)
    assert (expected < 0).any() and (out == np.maximum(expected, 0)).all()


def test_a_rectified_sum_that_is_no_number_stays_none():
    starts, joining, columns, own, _ = drawn_sums(9, 9, 8, np.float32)
    starts[2, 3] = np.nan
    out = np.empty((12, 8, 8), np.float32)
    write_running_sums(starts, joining, columns, own, None, out, rectified=True)
    assert np.isnan(out[2, :, 3]).all() and np.isnan(out).sum() == 8


@pytest.mark.skipif(_core.instruction_set() == "portable", reason="this machine runs the portable build only")
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("entries", [9, 30])
def test_every_instruction_set_sums_to_the_same_bytes(dtype, entries):
    starts, joining, columns, own, by_player = drawn_sums(entries, 9, 37, dtype)
    out, portable = (np.empty((12, 8, 37), dtype) for _ in range(2))
    write_running_sums(starts, joining, columns, own, by_player, out)
    flat = by_player or (None, None)
    scratch, go_on = np.empty(74, dtype), np.zeros(1, np.int32)
    _core.running_sums(
        portable, starts, joining, columns, *flat, *own, False, 0, 12, scratch, go_on, portable_build=True
    )
    assert out.tobytes() == portable.tobytes()
