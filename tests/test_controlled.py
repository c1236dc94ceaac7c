"""Labels of a controlled game mean what labels of the game mean, with less noise, and a wrong control is caught."""

from __future__ import annotations

import numpy as np
import pytest
import repeated_games
from significance import contradicts_truth
from small_games import points, table

from fastsa import LabelStream, estimators, exact, games, knn_shapley, utilities
from fastsa import labels as labels_room

E = estimators


def near(n_players, share, seed=0):
    """A game, and a surrogate that is `share` of it and the rest another game altogether."""
    values, other = (np.random.default_rng(s).normal(size=(2**n_players, 2)) for s in (seed, seed + 100))
    powers = 1 << np.arange(n_players)
    mixed = share * values + (1 - share) * other
    return games.FunctionGame(lambda c: values[c @ powers], n_players), games.FunctionGame(
        lambda c: mixed[c @ powers], n_players
    )


def collected(game, estimator, samples=400, **more):
    return LabelStream(game, estimator, samples=samples, n_threads=2, **more).collect()


LINEAR = [
    E.PermutationShapley(),
    E.PermutationShapley(antithetic=True),
    E.PermutationShapley(min_size=1, max_size=3),
    E.BetaShapley(4, 1),
    E.UnbiasedKernelSHAP(),
    E.Semivalue("beta", alpha=2.0),
    E.AdjustedMSR(),
    E.Semivalue("banzhaf"),
    E.BanzhafMSR(),
]
KEEP_ADDITIVE = [E.UnbiasedKernelSHAP(), E.Semivalue("beta", alpha=2.0)]  # their noise of the additive part stays


@pytest.mark.parametrize("estimator", LINEAR, ids=repr)
def test_a_controlled_game_has_the_same_values(estimator):
    game, surrogate = near(6, 0.8)
    controlled = games.Controlled(game, surrogate, exact(surrogate, estimator), scale=0.7)
    np.testing.assert_allclose(exact(controlled, estimator), exact(game, estimator), rtol=0, atol=1e-12)


@pytest.mark.parametrize("estimator", LINEAR, ids=repr)
def test_labels_are_unbiased_and_have_a_fraction_of_the_variance(estimator):
    """False-alarm rate 1e-6 each; a surrogate of correlation 0.97 leaves less than a fifth of the variance."""
    game, surrogate = near(6, 0.8)
    controlled = games.Controlled(game, surrogate, exact(surrogate, estimator))
    plain, labels = collected(game, estimator), collected(controlled, estimator)
    assert not contradicts_truth(labels, exact(game, estimator))
    if estimator not in KEEP_ADDITIVE:
        assert (labels.stderr**2).mean() < 0.2 * (plain.stderr**2).mean()
    assert labels.evaluations == plain.evaluations and labels.estimator.unbiased


@pytest.mark.parametrize("estimator", LINEAR[:2] + LINEAR[4:7], ids=repr)
def test_values_of_the_surrogate_that_are_wrong_are_caught(estimator):
    game, surrogate = near(6, 0.8)
    wrong = exact(surrogate, estimator)
    wrong[2] += 0.15
    biased = collected(games.Controlled(game, surrogate, wrong), estimator, samples=2000)
    assert contradicts_truth(biased, exact(game, estimator))


def test_a_control_fitted_to_the_samples_that_it_corrects_is_caught():
    """The deliberately biased twin: a surrogate that equals v where the samples looked and is nothing elsewhere."""
    game = table(6, outputs=1, seed=4)
    samples, powers, truth = 6, 1 << np.arange(6), exact(game)
    estimates = {"own": [], "other": []}
    for run in range(150):
        for role in ("own", "other"):
            seen = np.zeros(64, dtype=bool)

            def note(c, seen=seen):
                seen[c @ powers] = True
                return game.evaluate(c)

            noting = games.FunctionGame(note, 6)
            seen[:] = False
            collected(noting, E.PermutationShapley(), samples, seed=run, role="train" if role == "own" else "select")
            values = np.where(seen, game.evaluate((np.arange(64)[:, None] >> np.arange(6)) % 2 == 1)[:, 0], 0.0)
            surrogate = games.FunctionGame(lambda c, values=values: values[c @ powers], 6)
            controlled = games.Controlled(game, surrogate, exact(surrogate))
            estimates[role].append(collected(controlled, E.PermutationShapley(), samples, seed=run).mean[:, 0])
    z = {}
    for role, found in estimates.items():
        error = np.array(found) - truth[:, 0]
        z[role] = np.abs(error.mean(axis=0) / (error.std(axis=0, ddof=1) / np.sqrt(len(error)))).max()
    assert z["other"] < 5.5 < z["own"]  # the largest of 6 z's is above 5.5 with probability 2e-7


def test_the_surrogate_meets_the_background_of_the_game():
    runs = 40
    exactly = repeated_games.marginal_case(runs)
    cheap = games.ModelGame(
        lambda x: repeated_games.smooth(x) + 0.01 * x[:, :2] ** 3, exactly.bound.inputs, exactly.masker
    )
    values = np.repeat(exact(games.ModelGame(cheap.model._fn, cheap.bound.inputs[:1], cheap.masker)), runs, axis=0)
    controlled = games.Controlled(exactly, cheap, values)
    assert controlled.draws_background
    truth = exact(games.ModelGame(repeated_games.smooth, exactly.bound.inputs[:1], exactly.masker))[0]
    for estimator in (E.PermutationShapley(), E.UnbiasedKernelSHAP(), E.AdjustedMSR()):
        plain, labels = collected(exactly, estimator, 60), collected(controlled, estimator, 60)
        if estimator not in KEEP_ADDITIVE:
            assert (labels.stderr**2).mean() < 0.05 * (plain.stderr**2).mean()
        error = labels.mean - truth
        z = error.mean(axis=0) / np.maximum(error.std(axis=0, ddof=1) / np.sqrt(runs), 1e-12)
        assert np.abs(z).max() < 7.5  # t of 39 degrees, 8 of them: 4e-8


def test_kernel_shap_profits_too_though_it_is_biased():
    game, surrogate = near(7, 0.9)
    controlled = games.Controlled(game, surrogate, exact(surrogate))
    error = [((collected(g, E.KernelSHAP(), 60).mean - exact(game)) ** 2).mean() for g in (game, controlled)]
    assert error[1] < 0.1 * error[0]


@pytest.mark.parametrize("estimator", [E.PermutationShapley(), E.AdjustedMSR()], ids=repr)
def test_the_same_labels_for_any_threads_batches_shards_and_extensions(estimator):
    case = repeated_games.marginal_case(6)
    cheap = games.ModelGame(lambda x: repeated_games.smooth(0.9 * x), case.bound.inputs, case.masker)
    game = games.Controlled(case, cheap, exact(cheap))
    whole = LabelStream(game, estimator, samples=12, n_threads=1).collect()
    for options in ({"batch": 50, "n_threads": 2}, {"max_bytes": 3000}):
        np.testing.assert_array_equal(LabelStream(game, estimator, samples=12, **options).collect().mean, whole.mean)
    parts = [LabelStream(game, estimator, samples=6, first_sample=f, n_threads=1).collect() for f in (0, 6)]
    np.testing.assert_allclose(parts[0].merge(parts[1]).mean, whole.mean, rtol=0, atol=1e-12)


def test_knn_shapley_controls_permutations_of_a_learner():
    X, y, X_val, y_val = points(40, 60, 2, seed=3)
    game, near_by = (games.DataGame(utilities.KNN(k, score="vote"), X, y, X_val, y_val) for k in (5, 4))
    estimator = E.PermutationShapley()
    plain = collected(game, estimator, 100)
    labels = collected(games.Controlled(game, near_by, knn_shapley(X, y, X_val, y_val, k=4)), estimator, 100)
    assert (labels.stderr**2).mean() < 0.3 * (plain.stderr**2).mean()
    assert not contradicts_truth(labels, knn_shapley(X, y, X_val, y_val, k=5)[:, None])


def test_one_neighbour_of_the_same_start_leaves_data_shapley_of_logistic_regression_as_it_is():
    X, y, X_val, y_val = points(8, 30, 2, seed=5)
    game = games.DataGame(utilities.Logistic(), X, y, X_val, y_val)
    near_by = games.DataGame(utilities.KNN(1, score="vote", empty=0.5), X, y, X_val, y_val)
    values = knn_shapley(X, y, X_val, y_val, k=1) - 0.5 / 8
    np.testing.assert_allclose(exact(near_by)[:, 0], values, rtol=0, atol=1e-12)
    controlled = games.Controlled(game, near_by, values)
    np.testing.assert_allclose(exact(controlled), exact(game), rtol=0, atol=1e-12)
    assert not contradicts_truth(collected(controlled, E.PermutationShapley(), 2000), exact(game))


def test_distributional_branches_are_worth_their_values():
    game, surrogate = near(5, 0.9)
    estimator = E.Distributional(min_size=1, max_size=3)
    controlled = games.Controlled(game, surrogate, exact(surrogate, estimator))
    labels = collected(controlled, estimator, 800)
    assert not contradicts_truth(labels, exact(game, estimator))
    assert (labels.stderr**2).mean() < 0.2 * (collected(game, estimator, 800).stderr ** 2).mean()


def test_refusals():
    game, surrogate = near(5, 0.5)
    values = exact(surrogate)
    with pytest.raises(TypeError, match="surrogate is a ndarray; expected one of fastsa.games"):
        games.Controlled(game, values, values)
    with pytest.raises(ValueError, match=r"surrogate has \(6, 6, 2, False\)"):
        games.Controlled(game, near(6, 0.5)[1], values)
    with pytest.raises(ValueError, match=r"values have shape \(5, 1\); expected the surrogate's values \[5, 2\]"):
        games.Controlled(game, surrogate, values[:, :1])
    with pytest.raises(ValueError, match="values hold NaN"):
        games.Controlled(game, surrogate, values * np.nan)
    case = repeated_games.table_case(2)
    other = games.ModelGame(lambda x: np.tile(x[:, :1], 2), case.bound.inputs, case.masker, ids=[5, 6])
    with pytest.raises(ValueError, match="other ids"):
        games.Controlled(case, other, np.zeros((2, 5, 2)))


def test_another_control_is_another_game():
    game, surrogate = near(5, 0.5)
    values = exact(surrogate)
    one, half = games.Controlled(game, surrogate, values), games.Controlled(game, surrogate, values, scale=0.5)
    assert len({game.fingerprint, one.fingerprint, half.fingerprint}) == 3
    with pytest.raises(ValueError):
        collected(one, E.PermutationShapley(), 3).merge(collected(half, E.PermutationShapley(), 3, first_sample=3))


def test_evaluate_is_the_difference():
    game, surrogate = near(5, 0.5)
    values = exact(surrogate)
    members = np.random.default_rng(0).random((9, 5)) < 0.5
    expected = game.evaluate(members) - 0.5 * (surrogate.evaluate(members) - members @ values)
    found = games.Controlled(game, surrogate, values, scale=0.5).evaluate(members)
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-12)


def test_a_scale_of_one_output_is_that_of_all():
    game, surrogate = near(5, 0.5)
    values, walked = exact(surrogate), np.random.default_rng(1).random((9, 5)) < 0.5
    by_output = games.Controlled(game, surrogate, values, scale=[0.25, 2.0]).evaluate(walked)
    for output, scale in enumerate((0.25, 2.0)):
        alone = games.Controlled(game, surrogate, values, scale=scale).evaluate(walked)
        np.testing.assert_array_equal(by_output[:, output], alone[:, output])


@pytest.mark.parametrize("estimator", [E.PermutationShapley(), E.UnbiasedKernelSHAP(), E.AdjustedMSR()], ids=repr)
def test_a_fitted_scale_leaves_the_least_variance(estimator):
    """Surrogates of 2 and -1/4 times a near game: scales of half and minus four times its own.

    But for rounding, or for AdjustedMSR, whose penalty goes by the values, so that a difference of labels is not exactly
    the label of a difference.
    """
    game, surrogate = near(6, 0.7)
    factors = np.array([2.0, -0.25])
    scaled = games.FunctionGame(lambda c: surrogate.evaluate(c) * factors, 6)
    values = exact(scaled, estimator)
    scale = labels_room.fitted_scale(game, scaled, values, estimator, samples=400)
    np.testing.assert_allclose(
        scale * factors,
        labels_room.fitted_scale(game, surrogate, values / factors, estimator, samples=400),
        rtol=0.02 if isinstance(estimator, E.AdjustedMSR) else 1e-9,
    )

    def variance(at):
        controlled = games.Controlled(game, scaled, values, scale=at)
        return (collected(controlled, estimator, role="select").stderr ** 2).mean(axis=0)

    least = variance(scale)
    for factor in (0.0, 0.8, 1.2):
        assert (least < variance(factor * scale)).all()
    if estimator not in KEEP_ADDITIVE:
        assert (least < 0.5 * variance(0.0 * scale)).all()
    labels = collected(games.Controlled(game, scaled, values, scale=scale), estimator)
    assert not contradicts_truth(labels, exact(game, estimator))


def test_the_scale_of_a_surrogate_that_says_nothing_is_zero():
    game, nothing = near(5, 0.5)[0], games.FunctionGame(lambda c: np.zeros((len(c), 2)), 5)
    scale = labels_room.fitted_scale(game, nothing, np.zeros((5, 2)), E.PermutationShapley(), samples=5)
    np.testing.assert_array_equal(scale, np.zeros(2))
    with pytest.raises(ValueError, match="samples is 1; expected at least 2"):
        labels_room.fitted_scale(game, nothing, np.zeros((5, 2)), E.PermutationShapley(), samples=1)


def test_standard_errors_hold_the_error_of_estimated_values():
    """500 runs of 12 labels: squared errors are within 15 % of what is claimed with the values' own error, twice that without.

    0.15 is 2.4 deviations were the 12 labels of a run one and the same, 8 were they independent.
    """
    game, surrogate = near(6, 0.9)
    truth, permutations = exact(game), E.PermutationShapley()
    squares = []
    for seed in range(500):
        own = collected(surrogate, permutations, 20, seed=seed, role="select")
        controlled = games.Controlled(game, surrogate, own.mean, scale=0.9, values_stderr=own.stderr)
        labels = collected(controlled, permutations, 20, seed=seed)
        error = labels.mean - truth
        squares.append((error**2, controlled.stderr(labels) ** 2, labels.stderr**2))
    squared, held, alone = (np.mean(each) for each in zip(*squares, strict=True))
    assert abs(squared / held - 1) < 0.15 and squared / alone > 2
    few = labels.take([4, 1])
    np.testing.assert_array_equal(controlled.stderr(few), controlled.stderr(labels)[[4, 1]])


def test_refusals_of_scales_and_standard_errors():
    game, surrogate = near(5, 0.5)
    values = exact(surrogate)
    with pytest.raises(ValueError, match="expected a finite number, or one for each of 2 outputs"):
        games.Controlled(game, surrogate, values, scale=[1.0, 1.0, 1.0])
    with pytest.raises(ValueError, match="values_stderr have shape"):
        games.Controlled(game, surrogate, values, values_stderr=values[:3])
    with pytest.raises(ValueError, match="expected standard errors, none negative"):
        games.Controlled(game, surrogate, values, values_stderr=values * 0 - 1)
    controlled = games.Controlled(game, surrogate, values)
    labels = collected(controlled, E.PermutationShapley(), 3)
    with pytest.raises(ValueError, match="give them as values_stderr"):
        controlled.stderr(labels)
    with pytest.raises(ValueError, match="labels of another game"):
        controlled.stderr(collected(game, E.PermutationShapley(), 3))
