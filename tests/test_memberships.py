"""ops.memberships: the booleans behind every value, those of a naive loop; any part, any threads, into any buffer."""

from __future__ import annotations

import naive_walks
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from naive_walks import walks_of

from fastsa import ops


def naive(walks, n_players):
    """Every coalition anew, from its multiset."""
    return naive_walks.as_booleans(naive_walks.multisets_behind(walks), n_players)


@st.composite
def any_walks(draw, n_players):
    """Rows of every kind: multisets, nothing at all, positions twice or none, branches of members and of others."""
    player = st.integers(0, n_players - 1)
    players = draw(st.lists(st.lists(player, max_size=9), max_size=6))
    scored = [sorted(draw(st.lists(st.integers(0, len(p)), max_size=5))) for p in players]
    branches = [draw(st.lists(player, max_size=4)) for _ in players]
    return walks_of(players, scored, branches)


@pytest.mark.parametrize("n_players", [1, 3, 70])
@given(data=st.data())
@settings(max_examples=150)
def test_every_part_of_any_walks_is_that_of_a_naive_loop(n_players, data):
    walks = data.draw(any_walks(n_players))
    stop = data.draw(st.integers(0, walks.n_values))
    first = data.draw(st.integers(0, stop))
    expected = naive(walks, n_players)
    assert ops.memberships(walks, n_players).tobytes() == expected.tobytes()
    part = ops.memberships(walks, n_players, first, stop)
    assert part.shape == (stop - first, n_players) and part.dtype == np.bool_
    assert part.tobytes() == expected[first:stop].tobytes()


def test_a_branch_is_a_member_for_its_own_value_only_and_members_who_branch_stay():
    walks = walks_of([[1, 1, 2]], [[1, 3]], [[0, 2, 3, 3]])
    members = [np.flatnonzero(row).tolist() for row in ops.memberships(walks, 4)]
    assert members == [[1], [1, 2], [0, 1, 2], [1, 2], [1, 2, 3], [1, 2, 3]]


def test_a_part_that_starts_among_branches_knows_the_players_before():
    walks = walks_of([[0], [4, 2, 4], []], [[], [1], [0]], [[], [2, 3, 1], []])
    assert ops.memberships(walks, 5, 2, 5).astype(int).tolist() == [[0, 0, 1, 1, 1], [0, 1, 1, 0, 1], [0, 0, 0, 0, 0]]


@pytest.mark.parametrize(("n_players", "rows"), [(196, 120), (5000, 2)])
def test_permutations_are_their_prefixes_across_chunks(n_players, rows):
    orders = ops.permutations(n_players, rows, seed=1)
    walks = ops.Walks.of_permutations(orders)
    expected = ops.unpack(ops.prefix_coalitions(orders), n_players).reshape(-1, n_players)
    for n_threads in (1, 2, 7):
        assert ops.memberships(walks, n_players, n_threads=n_threads).tobytes() == expected.tobytes()


@pytest.mark.parametrize("n_threads", [1, 2])
def test_chunks_of_multisets_and_branches_start_anywhere(n_threads):
    """Rows of 60,000 players, so that chunks of a few values cut every walk among its positions and its branches."""
    rng = np.random.default_rng(2)
    walks = naive_walks.random_walks(rng, 60_000, 40)
    assert walks.n_values > 150
    whole = ops.memberships(walks, 60_000, n_threads=n_threads)
    for value, members in enumerate(naive_walks.multisets_behind(walks)):
        assert np.flatnonzero(whole[value]).tolist() == sorted(set(members))


def test_coalitions_come_back_from_their_walks():
    coalitions = np.random.default_rng(3).random((500, 33)) < 0.4
    assert (ops.memberships(ops.Walks.of_coalitions(coalitions), 33) == coalitions).all()


def test_out_is_written_in_place_and_nothing_beside_it():
    walks = ops.Walks.of_permutations(ops.permutations(9, 4, seed=4))
    whole = ops.memberships(walks, 9)
    frame = np.ones((12, 9), dtype=np.bool_)
    for first in (0, 7, 30):  # what a buffer held does not show
        answer = ops.memberships(walks, 9, first, first + 10, out=frame[1:11])
        assert np.shares_memory(answer, frame)
        assert (frame[1:11] == whole[first : first + 10]).all()
        assert frame[[0, 11]].all()


def test_no_walks_and_no_values_are_fine():
    assert ops.memberships(walks_of([], [], []), 3).shape == (0, 3)
    assert ops.memberships(walks_of([[1, 2]], [[]], [[]]), 3).shape == (0, 3)


WALKS = walks_of([[0, 1]], [[0, 2]], [[]])


@pytest.mark.parametrize(
    ("call", "error", "words"),
    [
        (lambda: ops.memberships([[0, 1]], 2), TypeError, "walks is a list; expected fastsa.ops.Walks"),
        (lambda: ops.memberships(WALKS, 1), ValueError, "players reach from 0 to 1; expected 0 to 0"),
        (lambda: ops.memberships(WALKS, 0), ValueError, "n_players is 0"),
        (lambda: ops.memberships(WALKS, 2, 0, 3), ValueError, "stop is 3; expected at most 2"),
        (lambda: ops.memberships(WALKS, 2, 2, 1), ValueError, "first is 2; expected at most 1"),
        (lambda: ops.memberships(WALKS, 2, -1), ValueError, "first is -1"),
        (lambda: ops.memberships(WALKS, 2, 0.0), TypeError, "first is 0.0"),
        (lambda: ops.memberships(WALKS, 2, out=np.empty((1, 2), bool)), ValueError, r"out has shape \(1, 2\)"),
        (lambda: ops.memberships(WALKS, 2, out=np.empty((2, 2), np.uint8)), TypeError, "out has dtype uint8"),
        (lambda: ops.memberships(WALKS, 2, n_threads=0), ValueError, "n_threads is 0"),
        (lambda: ops.memberships(walks_of([[0]], [[2]], [[]]), 2), ValueError, "outside its walk"),
    ],
)
def test_bad_input_is_refused_in_a_sentence(call, error, words):
    with pytest.raises(error, match=words):
        call()
