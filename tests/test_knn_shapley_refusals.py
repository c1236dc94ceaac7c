"""What knn_shapley refuses, in sentences, before it works."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import fastsa

X = np.arange(8.0).reshape(4, 2)
Y = np.array([0, 1, 0, 1])
LISTS = (np.array([[0, 1, 2, 3]]), np.array([[0.0, 1.0, 2.0, 3.0]]))


def call(X=X, y=Y, X_val=X[:1], y_val=Y[:1], **options):
    return fastsa.knn_shapley(X, y, X_val, y_val, **options)


def listed(neighbors, **options):
    return call(X=None, X_val=None, neighbors=neighbors, **options)


VALUE_ERRORS = {
    "k is 0; expected at least 1": {"k": 0},
    "variant is 'kernel'; expected one of 'hard'": {"variant": "kernel"},
    "index is 'owen'; expected one of 'shapley'": {"index": "owen"},
    "metric is 'manhattan'; expected one of 'euclidean'": {"metric": "manhattan"},
    "n_threads is 0; expected at least 1": {"n_threads": 0},
    "max_bytes is 0; expected at least 1": {"max_bytes": 0},
    r"X has shape \(8,\); expected two axes": {"X": X.ravel()},
    r"X has shape \(0, 2\); expected at least one point": {"X": X[:0]},
    "X_val has 1 features; expected 2": {"X_val": X[:1, :1]},
    r"X\[1, 0\] is nan; expected finite numbers": {"X": np.where(X == 2, np.nan, X)},
    r"X_val\[0, 1\] is inf; expected finite numbers": {"X_val": np.array([[0.0, np.inf]])},
    r"X\[3, 1\] is 7e\+200; expected finite numbers up to 1e\+150": {"X": np.where(X == 7, 7e200, X)},
    r"y has shape \(3,\); expected \(4,\)": {"y": Y[:3]},
    r"y_val has shape \(2,\); expected \(1,\)": {"y_val": Y[:2]},
    r"y_val has the class .*7.*, which y does not": {"y_val": [7]},
    "y contains NaN": {"y": [0.0, np.nan, 1.0, 1.0]},
    "y has numbers that are not whole; expected classes, or variant": {"y": [0.0, 0.5, 1.0, 1.0]},
    "one of X_val and y_val is None": {"X_val": None},
    "radius is None for the variant 'threshold'; expected a number": {"variant": "threshold"},
    "radius is 1.0 for the variant 'hard'; only": {"radius": 1.0},
    "radius is -1.0; expected at least 0": {"variant": "threshold", "radius": -1.0},
    "weights or bits are given for the variant 'hard'": {"bits": 3},
    "bits is 11; expected at most 10": {"variant": "weighted", "bits": 11},
    "k is 29; expected at most 28 for weighted votes": {"variant": "weighted", "k": 29},
    "weights 1 / distance have no meaning for the metric": {"variant": "weighted", "metric": "inner"},
    r"weights have shape \(4,\); expected \(1, 4\)": {"variant": "weighted", "weights": np.ones(4)},
    r"weights\[0, 2\] is -1.0; expected finite numbers from 0": {"variant": "weighted", "weights": [[1, 1, -1.0, 1]]},
    r"weights\[0, 1\] is nan; expected finite numbers": {"variant": "weighted", "weights": [[1, np.nan, 1, 1]]},
    r"X_val\[0\] has length zero, and so no direction": {"X": X + 1, "X_val": np.zeros((1, 2)), "metric": "cosine"},
    "epsilon is -0.1; expected 0": {"epsilon": -0.1},
    "epsilon is 1.0; expected 0": {"epsilon": 1.0},
    "epsilon is 0.1 for shapley values of the variant 'soft'": {"variant": "soft", "epsilon": 0.1},
    "epsilon is 0.1 for banzhaf values of the variant 'weighted'": {
        "variant": "weighted",
        "index": "banzhaf",
        "epsilon": 0.1,
    },
    "neighbors are given beside X": {"neighbors": LISTS},
}


@pytest.mark.parametrize("message", VALUE_ERRORS, ids=str)
def test_a_value_out_of_place_is_refused_in_a_sentence(message):
    with pytest.raises(ValueError, match=message):
        call(**VALUE_ERRORS[message])


TYPE_ERRORS = {
    "k is 2.0, a float; expected an integer": {"k": 2.0},
    "k is True, a bool; expected an integer": {"k": True},
    "X has dtype <U1; expected real numbers": {"X": np.array([["a", "b"]] * 4)},
    "X has dtype complex128; expected real numbers": {"X": X * 1j},
    'y has dtype <U1; the variant "regression" expects numbers': {"y": list("abca"), "variant": "regression"},
    'y has dtype bool; the variant "regression" expects numbers': {"y": Y == 1, "variant": "regression"},
    "weights have dtype <U1; expected real numbers": {"variant": "weighted", "weights": np.array([list("abca")])},
    "radius is '1', a str; expected a number": {"variant": "threshold", "radius": "1"},
    "reduce is 1; expected True or False": {"reduce": 1},
}


@pytest.mark.parametrize("message", TYPE_ERRORS, ids=str)
def test_a_type_out_of_place_is_refused_in_a_sentence(message):
    with pytest.raises(TypeError, match=message):
        call(**TYPE_ERRORS[message])


LIST_ERRORS = {
    "lists the neighbour -1; expected 0 to 3": ([[0, 1, 2, -1]], [[0.0, 1, 2, 3]]),
    "lists the neighbour 4; expected 0 to 3": ([[0, 1, 2, 4]], [[0.0, 1, 2, 3]]),
    "lists the neighbour 1 twice": ([[0, 1, 2, 1]], [[0.0, 1, 2, 3]]),
    "is at distance NaN": ([[0, 1, 2, 3]], [[0.0, np.nan, 2, 3]]),
    "expected the same two axes": ([0, 1, 2, 3], [0.0, 1, 2, 3]),
    r"has 2 of 4 points, which leaves an error of up to 0.2": ([[0, 1]], [[0.0, 1.0]]),
}


@pytest.mark.parametrize("message", LIST_ERRORS, ids=str)
def test_a_neighbour_list_that_is_broken_or_short_is_refused_in_a_sentence(message):
    with pytest.raises(ValueError, match=message):
        listed(LIST_ERRORS[message])


def test_short_lists_of_utilities_without_a_bound_are_refused():
    short = ([[0, 1]], [[0.0, 1.0]])
    with pytest.raises(ValueError, match="the variant 'soft' needs all of them"):
        listed(short, variant="soft")
    with pytest.raises(ValueError, match="neighbors are given for the variant 'weighted'"):
        listed(LISTS, variant="weighted")
    with pytest.raises(TypeError, match="expected a pair"):
        listed(np.zeros((2, 4)).tobytes())


def test_an_empty_row_of_a_graph_is_refused():
    sparse = pytest.importorskip("scipy.sparse")
    graph = sparse.csr_matrix((np.ones(2), [0, 1], [0, 2, 2]), shape=(2, 4))
    with pytest.raises(ValueError, match="row 1 of the neighbour graph is empty"):
        fastsa.knn_shapley(None, Y, None, Y[:2], neighbors=graph, epsilon=0.9)


@st.composite
def calls(draw):
    """Arguments of which some are wrong."""
    n, m, d = (draw(st.sampled_from([0, *range(1, 6)] + list(range(1, 6)) * 3)) for _ in range(3))
    usual, wild = [-2.0, -1.0, 0.0, 1.0, 2.0], [0.0, 1.0, 1e-300, 1e140, 1e300, np.nan, np.inf]
    cells = st.sampled_from(draw(st.sampled_from([usual] * 5 + [wild])))
    dtype = draw(st.sampled_from(["f2", "f4", "f8"]))
    names = draw(st.sampled_from([[0, 1], ["a", "b"], [3.0, 1.0], [0.5, 1.0], [None, 1]]))

    def table(rows):
        with np.errstate(over="ignore"):
            return np.array(draw(st.lists(cells, min_size=rows * d, max_size=rows * d))).astype(dtype).reshape(rows, d)

    def some_classes(rows):
        return draw(st.lists(st.sampled_from(names), min_size=rows, max_size=rows))

    alone = draw(st.booleans())
    variant = draw(st.sampled_from(["hard", "soft", "regression", "weighted", "threshold"]))
    usual_radius = 1.0 if variant == "threshold" else None
    return {
        "X": table(n),
        "y": some_classes(n),
        "X_val": None if alone else table(m),
        "y_val": None if alone else some_classes(m),
        "k": draw(st.sampled_from([1, 2, 5, 20, 28] * 3 + [2**31 - 1, 0, -1, 2.5])),
        "variant": variant,
        "index": draw(st.sampled_from(["shapley", "banzhaf", "leave-one-out"])),
        "metric": draw(st.sampled_from(["euclidean", "cosine", "inner"])),
        "radius": draw(st.sampled_from([usual_radius] * 9 + [np.nan])),
        "bits": draw(st.sampled_from([None] * 9 + [10])),
        "epsilon": draw(st.sampled_from([0.0] * 4 + [0.1, 0.7, 2.0])),
        "max_bytes": draw(st.sampled_from([None, 1, 1 << 20])),
        "n_threads": draw(st.sampled_from([1, 2])),
    }


def test_two_thousand_random_calls_end_in_finite_values_or_a_refusal():
    ended = {"values": 0, "refusals": 0}

    @settings(max_examples=2200)
    @given(calls())
    def check(arguments):
        try:
            values = fastsa.knn_shapley(**arguments)
        except (ValueError, TypeError):
            ended["refusals"] += 1
            return
        assert values.shape == (len(arguments["X"]),) and np.isfinite(values).all()
        ended["values"] += 1

    check()
    assert min(ended.values()) > 400, ended
