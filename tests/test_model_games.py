"""ModelGame: models of every kind as games, each masker by its definition, and what bad models and inputs are told."""

from __future__ import annotations

import warnings
import weakref

import numpy as np
import pytest
import tolerance

from fastsa import LabelStream, exact, games
from fastsa.estimators import KernelSHAP, PermutationShapley, UnbiasedKernelSHAP

RNG = np.random.default_rng(7)
X = RNG.normal(size=(4, 3))
BACKGROUND = RNG.normal(size=(5, 3))
ALL = (np.arange(8)[:, None] >> np.arange(3)) & 1 == 1
SINGLE_PRECISION = 1e-5  # sums of a few float32 products


def model(x):
    return np.stack([x[:, 0] * x[:, 1] + x[:, 2], np.tanh(x).sum(axis=1)], axis=1)


def values_of_all(game, item=2):
    return game.evaluate(np.full(8, item), ALL)


def same(found, expected, within=tolerance.REORDERED):
    np.testing.assert_allclose(found, expected, rtol=0, atol=within)


@pytest.mark.parametrize("values", [0.0, 1.5, np.array([1.0, 2.0, 3.0])])
def test_a_baseline_stands_in_for_the_absent(values):
    game = games.ModelGame(model, X, games.Baseline(values))
    same(values_of_all(game), model(np.where(ALL, X[2], values)))
    assert not game.draws_background and (game.n_players, game.n_outputs) == (3, 2)


@pytest.mark.parametrize("whole", [True, False])
@pytest.mark.parametrize("max_bytes", [None, 200])
def test_a_marginal_value_is_the_mean_over_the_background(whole, max_bytes):
    game = games.ModelGame(model, X, games.Marginal(BACKGROUND, whole=whole))
    expected = np.mean([model(np.where(ALL, X[2], row)) for row in BACKGROUND], axis=0)
    same(values_of_all(game), expected)
    assert game.draws_background == (not whole)


def test_a_sample_stands_before_one_row_in_all_its_coalitions():
    """The values of one permutation are those of one row; over samples every row comes up."""
    game = games.ModelGame(model, X, games.Marginal(BACKGROUND))
    rows = set()
    for sample in range(40):
        labels = LabelStream(game, PermutationShapley(), samples=1, first_sample=sample, items=[2]).collect()
        whole = [model(X[2:3]) - model(row[None]) for row in BACKGROUND]
        (found,) = [r for r, w in enumerate(whole) if np.allclose(labels.mean[0].sum(axis=0), w[0], rtol=0, atol=1e-12)]
        rows.add(found)
    assert rows == set(range(5))


MASKERS = [
    games.Baseline(0.5),
    games.Marginal(BACKGROUND),
    games.Marginal(BACKGROUND, whole=True),
    games.Groups([0, 1, 0], games.Marginal(BACKGROUND)),
]


@pytest.mark.parametrize("masker", MASKERS, ids=["baseline", "drawn", "whole", "groups"])
@pytest.mark.parametrize("estimator", [PermutationShapley(), PermutationShapley(antithetic=True), UnbiasedKernelSHAP()])
def test_a_background_row_is_asked_once_about_nobody_and_labels_are_the_same(masker, estimator):
    alone = []

    def watched(x):
        background = BACKGROUND if isinstance(masker, (games.Marginal, games.Groups)) else np.full((1, 3), 0.5)
        alone.append(sum((row == x).all(axis=1).sum() for row in background))
        return model(x)

    known, asked = (games.ModelGame(watched, X, masker) for _ in range(2))
    assert known.knows_empty
    asked.knows_empty = False
    alone.clear()
    labels = LabelStream(known, estimator, samples=30, seed=1).collect()
    assert 0 < sum(alone) <= known.bound.n_background
    every_time = LabelStream(asked, estimator, samples=30, seed=1).collect()
    same(labels.mean, every_time.mean)
    same(labels.stderr, every_time.stderr)
    assert labels.evaluations < every_time.evaluations


def test_what_nobody_earns_of_tokens_depends_on_the_input_and_is_asked_of_each():
    tokens = np.array([[3, 4, 5], [6, 7, 8]])
    game = games.ModelGame(lambda tokens, mask: tokens[:, 0] + mask.sum(axis=1) * 1.0, tokens, games.Tokens())
    assert not game.knows_empty
    assert game.evaluate([0, 1], np.zeros((2, 3), dtype=bool)).ravel().tolist() == [3.0, 6.0]


def test_one_background_row_is_a_baseline():
    drawn, fixed = (
        games.ModelGame(model, X, games.Marginal(BACKGROUND[:1])),
        games.ModelGame(model, X, games.Baseline(BACKGROUND[0])),
    )
    assert not drawn.draws_background
    assert (values_of_all(drawn) == values_of_all(fixed)).all()


def test_groups_of_players_who_do_not_stand_together_join_together():
    inputs, groups = RNG.normal(size=(4, 6)), np.array([2, 0, 1, 0, 2, 1])
    game = games.ModelGame(lambda x: x[:, 0] * x[:, 1] + x[:, 4], inputs, games.Groups(groups, games.Baseline(0.5)))
    masked = np.where(ALL[:, groups], inputs[2], 0.5)
    same(values_of_all(game)[:, 0], masked[:, 0] * masked[:, 1] + masked[:, 4])


def test_groups_broadcast_and_take_a_background():
    inputs, background = RNG.normal(size=(4, 2, 3)), RNG.normal(size=(3, 2, 3))
    flat = lambda x: (x[:, 0] * x[:, 1]).sum(axis=1)  # noqa: E731
    game = games.ModelGame(flat, inputs, games.Groups(np.array([0, 1, 2]), games.Marginal(background)))
    same(
        values_of_all(game)[:, 0], np.mean([flat(np.where(ALL[:, None], inputs[2], row)) for row in background], axis=0)
    )
    one = games.ModelGame(flat, inputs, games.Groups(np.zeros((2, 3), int)))
    assert one.n_players == 1
    same(LabelStream(one, PermutationShapley(), samples=2).collect().mean[:, 0, 0], flat(inputs))


def test_patches_are_the_cells_of_a_grid():
    images = RNG.normal(size=(2, 3, 4, 6))
    game = games.ModelGame(lambda x: x.reshape(len(x), -1)[:, ::5], images, games.Patches((2, 3), value=-1.0))
    coalitions = RNG.random((20, 6)) < 0.5
    expected = np.repeat(images[1:], 20, axis=0)
    for row, present in zip(expected, coalitions, strict=True):
        for player in np.flatnonzero(~present):
            top, left = 2 * (player // 3), 2 * (player % 3)
            row[:, top : top + 2, left : left + 2] = -1.0
    assert (game.evaluate(np.ones(20, int), coalitions) == expected.reshape(20, -1)[:, ::5]).all()


def bag(tokens, mask):
    """Ignores what is masked, and where tokens stand."""
    return np.stack([(np.sin(tokens) * mask).sum(axis=1), mask.sum(axis=1) + 0.0], axis=1)


@pytest.mark.parametrize("batch", [1, 7, None])
def test_tokens_taken_out_are_tokens_masked_for_a_model_that_ignores_those(batch):
    tokens = RNG.integers(1, 50, size=(3, 9))
    masked, dropped, padded = (
        games.ModelGame(bag, tokens, m) for m in (games.Tokens(), games.Tokens(drop=True), games.Tokens(pad=7))
    )
    items, coalitions = RNG.integers(0, 3, 200), RNG.random((200, 9)) < 0.4
    for game in (dropped, padded):
        same(game.evaluate(items, coalitions), masked.evaluate(items, coalitions))
    labels = [LabelStream(g, KernelSHAP(), samples=20, batch=batch).collect().mean for g in (masked, dropped, padded)]
    same(labels[1], labels[0], 1e-10)
    same(labels[2], labels[0], 1e-10)


def test_dropped_tokens_keep_their_order_and_are_never_computed():
    seen = []

    def first_and_last(tokens, mask):
        seen.append(tokens.shape[1])
        length = mask.sum(axis=1)
        assert (mask == (np.arange(tokens.shape[1]) < length[:, None])).all() and (tokens[~mask] == 3).all()
        last = tokens[np.arange(len(tokens)), np.maximum(length - 1, 0)]
        return np.where(length > 0, 100.0 * tokens[:, 0] + last, 0.0)

    game = games.ModelGame(first_and_last, np.array([[11, 12, 13, 14]]), games.Tokens(drop=True, pad=3))
    seen.clear()
    found = game.evaluate(np.zeros(4, int), np.array([[0, 1, 1, 0], [1, 0, 0, 1], [0, 0, 0, 0], [0, 0, 1, 0]], bool))
    assert found.ravel().tolist() == [1213.0, 1114.0, 0.0, 1313.0] and max(seen) == 2


def test_absent_nodes_lose_their_features_and_edges():
    features, adjacency = RNG.normal(size=(2, 3, 4)), RNG.integers(0, 2, size=(2, 3, 3))
    propagate = lambda f, a: np.abs(a @ f).sum(axis=(1, 2))  # noqa: E731
    game = games.ModelGame(propagate, (features, adjacency), games.Nodes())
    for coalition, found in zip(ALL, values_of_all(game, 1)[:, 0], strict=True):
        f, a = features[1] * coalition[:, None], adjacency[1] * np.outer(coalition, coalition)
        same(found, np.abs(a @ f).sum())
    padded = (np.pad(features, ((0, 0), (0, 1), (0, 0))), np.pad(adjacency, ((0, 0), (0, 1), (0, 1))))
    values = exact(games.ModelGame(propagate, padded, games.Nodes()))
    same(values[:, 3], 0.0)
    same(values[:, :3], exact(game))


def overwrites(x):
    answer = model(x)
    x[:] = np.nan
    return answer


def test_a_model_that_overwrites_its_batch_does_no_harm():
    for masker in (games.Baseline(), games.Marginal(BACKGROUND), games.Marginal(BACKGROUND, whole=True)):
        clean, spoiled = (
            LabelStream(games.ModelGame(f, X, masker), UnbiasedKernelSHAP(), samples=30, batch=50).collect()
            for f in (model, overwrites)
        )
        assert clean.mean.tobytes() == spoiled.mean.tobytes()
    assert np.isfinite(X).all() and np.isfinite(BACKGROUND).all()


def test_a_model_that_overwrites_masks_and_runs_out_of_memory_does_no_harm():
    tokens = RNG.integers(1, 50, size=(3, 9))
    expected = games.ModelGame(bag, tokens, games.Tokens()).evaluate(np.arange(60) % 3, RNG.random((60, 9)) < 2)

    def greedy(given, mask):
        answer = bag(given, mask)
        mask[:], given[:] = False, 0
        if len(given) > 8:
            raise MemoryError
        return answer

    game = games.ModelGame(greedy, tokens, games.Tokens())
    assert (game.evaluate(np.arange(60) % 3, np.ones((60, 9), bool)) == expected).all()


@pytest.mark.parametrize("error", [MemoryError(), RuntimeError("CUDA out of memory. Tried to allocate 20.00 GiB")])
def test_a_batch_that_runs_out_of_memory_is_let_go_halved_and_tried_again(error):
    most, sizes, failed = 5, [], []

    def limited(x):
        sizes.append(len(x))
        if len(x) > most:
            failed.append(weakref.ref(x))
            raise error.__class__(*error.args)
        assert all(batch() is None for batch in failed), "a batch that did not fit is still held"
        return model(x)

    expected = LabelStream(games.ModelGame(model, X, games.Baseline()), KernelSHAP(), samples=20).collect()
    found = LabelStream(games.ModelGame(limited, X, games.Baseline()), KernelSHAP(), samples=20).collect()
    assert found.mean.tobytes() == expected.mean.tobytes() and max(sizes) > most


def test_one_row_that_does_not_fit_and_other_errors_are_the_users():
    def never(x):
        raise MemoryError("no room")

    def broken(x):
        if len(x) > 1:
            raise RuntimeError("shapes do not match")
        return model(x)

    with pytest.raises(MemoryError, match="no room"):
        games.ModelGame(never, X, games.Baseline())
    with pytest.raises(RuntimeError, match="shapes do not match"):
        LabelStream(games.ModelGame(broken, X, games.Baseline()), KernelSHAP(), samples=4).collect()


def answers(answer):
    """A model that answers well for one row, when it is asked for its outputs, and then otherwise."""
    return lambda x: model(x) if len(x) == 1 else answer(x)


@pytest.mark.parametrize(
    ("bad", "error", "words"),
    [
        (
            lambda x: np.where(x.all(axis=1, keepdims=True), model(x), np.nan),
            ValueError,
            "not finite for item 0 with 1 of 3 players",
        ),
        (lambda x: np.full((len(x), 2), np.inf), ValueError, "not finite for item 0"),
        (lambda x: model(x)[:, :1], ValueError, r"answered shape \(7, 1\) for 7 rows; expected \[7, 2\]"),
        (lambda x: model(x)[:-1], ValueError, r"answered shape \(6, 2\) for 7 rows"),
        (lambda x: model(x)[None], ValueError, r"answered shape \(1, 7, 2\)"),
        (lambda x: np.array(["a"] * len(x)), TypeError, "answered dtype <U1"),
        (lambda x: model(x) * 1j, TypeError, "answered dtype complex128"),
    ],
)
def test_bad_answers_are_refused_by_name(bad, error, words):
    game = games.ModelGame(answers(bad), X, games.Baseline())
    with pytest.raises(error, match=words):
        game.evaluate(np.zeros(7, int), ALL[1:])


def test_an_empty_coalition_that_is_not_finite_is_named():
    game = games.ModelGame(lambda x: np.where(x.any(axis=1, keepdims=True), model(x), np.nan), X, games.Baseline())
    with pytest.raises(ValueError, match="not finite for item 0 with 0 of 3 players"):
        game.evaluate(np.zeros(8, int), ALL)


WHOLE_NUMBERS = np.array([[1, 2, 3]])
BAD = [
    (model, X[:, 0], games.Baseline(), ValueError, r"X has shape \(4,\)"),
    (model, X[:0], games.Baseline(), ValueError, r"X has shapes \[\(0, 3\)\]; expected at least one item"),
    (model, (X, X[:2]), games.Nodes(), ValueError, r"expected at least one item, the same in all"),
    (model, (X, X), games.Baseline(), ValueError, "X is 2 arrays; Baseline masks one"),
    (model, X, games.Baseline, TypeError, "masker is <class"),
    (model, X, "marginal", TypeError, "masker is 'marginal'"),
    ("model", X, games.Baseline(), TypeError, "model is a str; expected a torch module"),
    (
        model,
        X,
        games.Baseline(np.zeros(4)),
        ValueError,
        r"the baseline has shape \(4,\); expected one number, or an input's shape \(3,\)",
    ),
    (model, X, games.Marginal(BACKGROUND[:0]), ValueError, "background has no rows"),
    (model, X, games.Marginal(BACKGROUND[:, :2]), ValueError, r"background has shape \(5, 2\)"),
    (model, X, games.Marginal(BACKGROUND[0]), ValueError, r"background has shape \(3,\)"),
    (model, X, games.Marginal(None), ValueError, r"background has shape \(\)"),
    (model, X, games.Marginal(BACKGROUND.astype(str)), TypeError, "background has dtype <U.*, the inputs have float64"),
    (
        model,
        WHOLE_NUMBERS,
        games.Baseline(0.5),
        TypeError,
        "the baseline holds 0.5, which inputs of int64 cannot; convert the inputs",
    ),
    (model, WHOLE_NUMBERS, games.Baseline(np.nan), TypeError, "the baseline holds nan, which inputs of int64 cannot"),
    (model, WHOLE_NUMBERS, games.Marginal(BACKGROUND), TypeError, "background holds .*, which inputs of int64 cannot"),
    (
        model,
        np.array([["hi", "lo"]]),
        games.Baseline("missing"),
        TypeError,
        "the baseline holds 'missing', which inputs of <U2 cannot",
    ),
    (
        model,
        np.array([["hi", "lo"]]),
        games.Baseline(),
        TypeError,
        "the baseline has dtype float64, the inputs have <U2",
    ),
    (model, X * 1j, games.Baseline(), TypeError, "X has dtype complex128"),
    (model, X, games.Groups([0, 1]), ValueError, r"players have shape \(2,\)"),
    (model, X, games.Groups([0, 2, 2]), ValueError, "players are numbered .*every number used"),
    (model, X, games.Groups([1, 2, 3]), ValueError, "players are numbered"),
    (model, X, games.Groups([0, -1, 1]), ValueError, "players are numbered"),
    (model, X, games.Groups([0.0, 1.0, 2.0]), TypeError, "players have dtype float64"),
    (model, X, games.Patches((1, 1)), ValueError, r"X has shape \(4, 3\); expected images"),
    (model, np.zeros((1, 1, 4, 6)), games.Patches((3, 2)), ValueError, "a grid of 3 x 2 does not divide them"),
    (model, np.zeros((1, 2, 3)), games.Tokens(), ValueError, r"X has shape \(1, 2, 3\); expected tokens"),
    (model, np.zeros((1, 2)), games.Nodes(), ValueError, "expected .features"),
    (model, (np.zeros((1, 2, 3)), np.zeros((1, 3, 3))), games.Nodes(), ValueError, "expected .features"),
    (lambda x: np.zeros((len(x), 0)), X, games.Baseline(), ValueError, r"answered shape \(1, 0\)"),
    (lambda x: np.zeros(7), X, games.Baseline(), ValueError, r"answered shape \(7,\) for 1 rows"),
    (lambda x: np.full(len(x), np.nan), X, games.Baseline(), ValueError, "not finite for item 0 with 3 of 3 players"),
]


@pytest.mark.parametrize(("f", "inputs", "masker", "error", "words"), BAD)
def test_what_does_not_fit_is_refused_when_the_game_is_made(f, inputs, masker, error, words):
    with pytest.raises(error, match=words):
        games.ModelGame(f, inputs, masker)


@pytest.mark.parametrize(
    ("make", "error", "words"),
    [
        (lambda: games.Patches(4), TypeError, "grid is 4; expected .rows, columns."),
        (lambda: games.Patches((2, 2, 2)), TypeError, r"grid is \(2, 2, 2\)"),
        (lambda: games.Patches((0, 2)), ValueError, "grid is 0"),
        (lambda: games.Patches((2.0, 2)), TypeError, "grid is 2.0"),
        (lambda: games.Patches((2, 2), value=None), TypeError, "value is None"),
        (lambda: games.Groups([0], games.Patches((1, 1))), TypeError, "masker is Patches"),
        (lambda: games.Marginal(BACKGROUND, whole=1), TypeError, "whole is 1; expected True or False"),
        (lambda: games.Tokens(drop="yes"), TypeError, "drop is 'yes'"),
        (lambda: games.Tokens(pad=0.5), TypeError, "pad is 0.5"),
    ],
)
def test_bad_settings_of_maskers_are_refused(make, error, words):
    with pytest.raises(error, match=words):
        make()


def test_requests_that_do_not_fit_are_refused():
    game = games.ModelGame(model, X, games.Baseline())
    for items, coalitions, error, words in (
        ([0], ALL, ValueError, "expected a position for each of 8 rows"),
        ([0.0], ALL[:1], ValueError, "dtype float64"),
        ([4], ALL[:1], ValueError, "lanes name items 4 to 4; expected 0 to 3"),
        ([-1], ALL[:1], ValueError, "lanes name items -1"),
        ([0], ALL[:1, :2], ValueError, r"coalitions have shape \(1, 2\)"),
        ([0], ALL[:1] * 1.0, TypeError, "coalitions have dtype float64"),
    ):
        with pytest.raises(error, match=words):
            game.evaluate(items, coalitions)


def test_fingerprints_tell_games_apart():
    def made(f=model, inputs=X, masker=None, ids=None):
        return games.ModelGame(f, inputs, games.Baseline() if masker is None else masker, ids=ids).fingerprint

    assert made() == made(inputs=X.copy())
    others = [
        made(inputs=X + 1e-9),
        made(masker=games.Baseline(1.0)),
        made(masker=games.Marginal(BACKGROUND)),
        made(f=overwrites),
        made(masker=games.Marginal(BACKGROUND, whole=True)),
        made(masker=games.Groups([0, 0, 1])),
        made(ids=[3, 2, 1, 0]),
    ]
    assert len({made(), *others}) == 1 + len(others)


def test_predictors_are_asked_for_what_they_have():
    linear_model = pytest.importorskip("sklearn.linear_model")
    svm = pytest.importorskip("sklearn.svm")
    inputs, y = RNG.normal(size=(40, 3)), np.arange(40) % 3
    for fitted, method in (
        (linear_model.LogisticRegression().fit(inputs, y), "predict_proba"),
        (svm.LinearSVC().fit(inputs, y), "decision_function"),
        (linear_model.Ridge().fit(inputs, y * 1.0), "predict"),
    ):
        game = games.ModelGame(fitted, X, games.Baseline())
        expected = getattr(fitted, method)(np.where(ALL, X[2], 0.0))
        assert game.n_outputs == (1 if method == "predict" else 3)
        same(values_of_all(game), expected.reshape(8, -1))


def test_frames_keep_their_names_and_give_no_warnings():
    pandas = pytest.importorskip("pandas")
    linear_model = pytest.importorskip("sklearn.linear_model")
    frame = pandas.DataFrame(X, columns=["age", "height", "weight"])
    fitted = linear_model.LinearRegression().fit(frame, X @ [1.0, 2.0, 3.0])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        game = games.ModelGame(fitted, frame, games.Marginal(frame))
        same(exact(game)[..., 0], (X - X.mean(axis=0)) * [1.0, 2.0, 3.0], 1e-9)


def test_regressions_refuse_too_few_coalitions_before_the_model_is_asked():
    calls = []
    game = games.ModelGame(lambda x: (calls.append(len(x)), model(x))[1], X, games.Baseline())
    calls.clear()
    for estimator, samples in ((KernelSHAP(paired=False), 3), (KernelSHAP(), 2)):
        with pytest.raises(ValueError, match=f"samples is {samples}; expected at least {samples + 1}"):
            LabelStream(game, estimator, samples=samples)
        LabelStream(game, estimator, samples=samples + 1)
    assert calls == []
