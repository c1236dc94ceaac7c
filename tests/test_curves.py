"""Insertion and deletion curves equal a naive loop over coalitions."""

from __future__ import annotations

import numpy as np
import pytest

from fastsa import games
from fastsa.metrics import deletion_curve, insertion_curve

rng = np.random.default_rng(0)
X = rng.normal(size=(7, 5))
MASKERS = (games.Baseline(0.5), games.Marginal(rng.normal(size=(3, 5))))


def model(x):
    return np.stack([x[:, 0] * x[:, 1] + x[:, 2], np.tanh(x).sum(axis=1)], axis=1)


def naive(game, attributions, sizes, deleting):
    """[items, points, outputs], one coalition at a time; equal attributions in the order of players."""
    n_items, n, outputs = attributions.shape
    values = np.empty((n_items, len(sizes), outputs))
    for i in range(n_items):
        for o in range(outputs):
            ranked = sorted(range(n), key=lambda p: (-attributions[i, p, o], p))
            for place, size in enumerate(sizes):
                members = np.array([(p in ranked[:size]) != deleting for p in range(n)])
                values[i, place, o] = game.evaluate([i], members[None])[0, o]
    return values


@pytest.mark.parametrize("masker", MASKERS, ids=["baseline", "marginal"])
@pytest.mark.parametrize("curve", [insertion_curve, deletion_curve])
@pytest.mark.parametrize("points", [None, 3])
def test_curves_are_those_of_a_loop_over_coalitions(masker, curve, points):
    game = games.ModelGame(model, X, masker)
    attributions = np.round(rng.normal(size=(7, 5, 2)))  # rounded, for ties
    sizes = range(6) if points is None else [0, 2, 5]
    expected = naive(game, attributions, list(sizes), curve is deletion_curve)
    found = curve(game, attributions, points=points)
    np.testing.assert_allclose(found.values, expected, atol=1e-12)
    np.testing.assert_allclose(found.share, np.array(list(sizes)) / 5)
    trapezoids = sum(
        (expected[:, k] + expected[:, k + 1]) / 2 * (found.share[k + 1] - found.share[k]) for k in range(len(sizes) - 1)
    )
    np.testing.assert_allclose(found.area, trapezoids, atol=1e-12)
    assert found.mean_area.shape == (2,)


@pytest.mark.parametrize("output", [1, np.array([0, 1, 1, 0, 0, 1, 0])])
def test_one_output_is_the_same_curve_at_a_share_of_the_cost(output):
    rows = []

    def counted(x):
        rows.append(len(x))
        return model(x)

    game = games.ModelGame(counted, X, games.Baseline())
    attributions = rng.normal(size=(7, 5, 2))
    everything = insertion_curve(game, attributions).values
    rows.clear()
    one = insertion_curve(game, attributions, output=output)
    assert sum(rows) == 7 * 5  # six points a curve, of which the game knows the empty coalition from before
    taken = np.broadcast_to(output, 7)
    np.testing.assert_array_equal(one.values, everything[np.arange(7), :, taken])
    assert one.area.shape == (7,) and np.ndim(one.mean_area) == 0


def test_right_attributions_make_higher_insertion_and_lower_deletion_than_reversed_ones():
    slopes = np.array([3.0, 1.0, 2.0, 0.5, 4.0])
    game = games.ModelGame(lambda x: np.maximum(x @ slopes, 2.0), np.ones((4, 5)), games.Baseline())
    right = np.broadcast_to(slopes, (4, 5))
    assert insertion_curve(game, right).mean_area > insertion_curve(game, -right).mean_area
    assert deletion_curve(game, right).mean_area < deletion_curve(game, -right).mean_area


@pytest.mark.parametrize(
    ("attributions", "options", "error", "message"),
    [
        (np.ones((7, 5)), {}, ValueError, r"expected \(7, 5, 2\)"),
        (np.full((7, 5, 2), np.nan), {}, ValueError, "not finite"),
        (np.ones((7, 5, 2)), {"points": 1}, ValueError, "points is 1"),
        (np.ones((7, 5, 2)), {"points": 7}, ValueError, "points is 7"),
        (np.ones((7, 5, 2)), {"output": 2}, ValueError, "output reaches from 2 to 2"),
        (np.ones((7, 5, 2)), {"output": np.zeros(3, int)}, ValueError, "one for each of 7 items"),
        (np.ones((7, 5, 2)), {"output": 0.5}, ValueError, "expected a position"),
    ],
)
def test_bad_input_is_refused_in_a_sentence(attributions, options, error, message):
    game = games.ModelGame(model, X, games.Baseline())
    with pytest.raises(error, match=message):
        insertion_curve(game, attributions, **options)
    with pytest.raises(TypeError, match="expected a fastsa.games.ModelGame"):
        deletion_curve(model, attributions)
