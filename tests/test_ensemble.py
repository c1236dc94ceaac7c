"""Ensembles: nearer than their members, unsure where they are wrong, saved and read back."""

from __future__ import annotations

import numpy as np
import pytest

import fastsa
from fastsa import estimators, games
from fastsa.amortize import AttributionNet, Ensemble, conformal_interval

X = np.random.default_rng(0).normal(size=(200, 4))
NEW = np.random.default_rng(1).normal(size=(400, 4)) * np.where(np.arange(400) % 2, 0.7, 1.5)[:, None]


def model(x):
    return x[:, 0] * x[:, 1] + np.sin(2 * x[:, 2])


def drawn(inputs, samples, role):
    game = games.ModelGame(model, inputs, games.Baseline())
    return fastsa.LabelStream(game, estimators.PermutationShapley(), samples=samples, role=role, n_threads=1).collect()


def new_net(seed):
    return AttributionNet(epochs=60, width=16, seed=seed)


@pytest.fixture(scope="module")
def fitted():
    return Ensemble(new_net, members=3, seed=7).fit(X, drawn(X, 2, "train"), select=drawn(X, 1, "select"))


@pytest.fixture(scope="module")
def truth():
    return fastsa.exact(games.ModelGame(model, NEW, games.Baseline()))


def test_the_mean_is_nearer_than_the_members_by_exactly_their_variance(fitted, truth):
    each = fitted.predictions(NEW)
    assert each.shape == (3, 400, 4, 1)
    of_members, of_mean = np.mean((each - truth) ** 2), np.mean((fitted.predict(NEW) - truth) ** 2)
    np.testing.assert_allclose(of_members - of_mean, np.mean(fitted.spread(NEW) ** 2) * 2 / 3, rtol=1e-9)
    assert of_mean < of_members
    np.testing.assert_array_equal(
        each[2], new_net(9).fit(X, drawn(X, 2, "train"), select=drawn(X, 1, "select")).predict(NEW)
    )


def test_members_disagree_where_they_are_wrong(fitted, truth):
    spread, wrong = fitted.spread(NEW).mean(axis=(1, 2)), np.abs(fitted.predict(NEW) - truth).mean(axis=(1, 2))
    ranks = [np.argsort(np.argsort(a)) for a in (spread, wrong)]
    assert np.corrcoef(*ranks)[0, 1] > 0.4


def test_its_spread_makes_intervals_that_cover_the_sure_and_the_unsure_alike(fitted, truth):
    """Inputs of usual size and 2.5 times it, of which half calibrate: without the spread the large ones are covered less."""
    old, rest = np.arange(0, 200), np.arange(200, 400)
    labels = drawn(NEW, 3, "certify").take(old)
    p, spread = fitted.predict(NEW), fitted.spread(NEW) + 1e-3
    large = np.arange(200, 400) % 2 == 0

    def covered(low, high):
        inside = (low <= truth[rest]) & (truth[rest] <= high)
        return inside[large].mean(), inside[~large].mean()

    flat = covered(*conformal_interval(p[old], labels, p[rest]))
    told = covered(*conformal_interval(p[old], labels, p[rest], spread=spread[old], new_spread=spread[rest]))
    assert abs(told[0] - told[1]) < abs(flat[0] - flat[1])
    assert min(told) > 0.85


def test_a_saved_ensemble_predicts_the_same_bytes(fitted, tmp_path):
    fitted.save(tmp_path / "nets")
    again = Ensemble.load(tmp_path / "nets", AttributionNet.load)
    assert again.predict(NEW).tobytes() == fitted.predict(NEW).tobytes() and again.members == 3
    with pytest.raises(ValueError, match="expected an empty folder"):
        fitted.save(tmp_path / "nets")
    with pytest.raises(ValueError, match="makes no new networks"):
        again.fit(X, drawn(X, 2, "train"))
    with pytest.raises(ValueError, match="holds 0 members"):
        Ensemble.load(tmp_path, AttributionNet.load)


def test_refusals():
    with pytest.raises(ValueError, match="members is 1; expected at least 2"):
        Ensemble(new_net, members=1)
    with pytest.raises(TypeError, match="expected a function of a seed"):
        Ensemble(AttributionNet())
    with pytest.raises(ValueError, match="call fit or load first"):
        Ensemble(new_net).predict(X)
