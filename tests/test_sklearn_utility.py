"""SklearnUtility: direct fits, the same bytes for any workers, and what happens when one dies."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import naive_walks
import numpy as np
import odd_estimators
import pytest
import small_games
import tolerance
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.linear_model import Ridge as RidgeOfTargets
from sklearn.metrics import balanced_accuracy_score
from sklearn.naive_bayes import GaussianNB as NaiveBayes
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

import fastsa
from fastsa import games, ops, utilities
from fastsa._threads import Cancel, Cancelled
from fastsa.utilities import SklearnUtility, workers

N, N_OUTSIDE = 24, 4


@pytest.fixture(scope="module")
def data():
    X, y, X_val, y_val = small_games.points(N + N_OUTSIDE, 15, 3, seed=3)
    return {"X": X[:N], "y": y[:N], "X_val": X_val, "y_val": y_val, "X_items": X[N:], "y_items": y[N:]}


@pytest.fixture(scope="module")
def walks():
    return naive_walks.random_walks(np.random.default_rng(4), N, 12, n_points=N + N_OUTSIDE)


@pytest.fixture(scope="module")
def marker(tmp_path_factory):
    """While this file is there, DiesOnce lives."""
    path = tmp_path_factory.mktemp("marked") / "marker"
    path.touch()
    return path


@pytest.fixture(scope="module")
def pool(data, marker):
    """A game with two workers, which start once for this file: Gaussian naive Bayes, mortal."""
    return games.DataGame(SklearnUtility(odd_estimators.DiesOnce(str(marker)), n_workers=2), **data)


def everything(data):
    return np.concatenate([data["X"], data["X_items"]]), np.concatenate([data["y"], data["y_items"]])


def expected_accuracy(estimator, data, members):
    (X, y), X_val, y_val = everything(data), data["X_val"], data["y_val"]
    members = np.sort(members).astype(int)
    if members.size == 0:
        return 1 / 3
    if np.unique(y[members]).size == 1:
        return np.mean(y_val == y[members[0]])
    return estimator.fit(X[members], y[members]).score(X_val, y_val)


@pytest.mark.parametrize(
    "estimator", [DecisionTreeClassifier(random_state=0), make_pipeline(StandardScaler(), SVC())], ids=repr
)
def test_walks_are_direct_fits_of_every_multiset(estimator, data, walks):
    found = games.DataGame(SklearnUtility(estimator), **data).walk(walks)[:, 0]
    expected = [expected_accuracy(estimator, data, members) for members in naive_walks.multisets_behind(walks)]
    assert found.tolist() == expected
    assert np.unique(found).size > 5


def test_probabilities_are_spread_over_all_classes_and_mixed_with_the_frequencies(data, walks):
    (_, y), y_val = everything(data), data["y_val"]
    found = games.DataGame(SklearnUtility(LogisticRegression(tol=1e-10), "log_likelihood"), **data).walk(walks)
    native = games.DataGame(utilities.Logistic(score="log_likelihood"), **data).walk(walks)
    np.testing.assert_allclose(found, native, rtol=0, atol=tolerance.COEFFICIENTS)
    single = naive_walks.walks_of([[1, 1]], [[2]], [[]])
    value = games.DataGame(SklearnUtility(LogisticRegression(), "log_likelihood"), **data).walk(single)[0]
    np.testing.assert_allclose(value, np.log(np.where(y_val == y[1], 3 / 5, 1 / 5)))


@pytest.mark.parametrize(
    ("estimator", "native"),
    [(KNeighborsClassifier(1), utilities.KNN(1)), (LogisticRegression(tol=1e-10), utilities.Logistic())],
    ids=repr,
)
def test_it_agrees_with_the_native_utility_of_the_same_learner(estimator, native, data, walks):
    slow, fast = (games.DataGame(u, **data).walk(walks) for u in (SklearnUtility(estimator), native))
    np.testing.assert_allclose(slow, fast, rtol=0, atol=tolerance.REORDERED)


def test_balanced_accuracy_is_scikit_learns(data):
    members = np.arange(0, N, 2)
    model = NaiveBayes().fit(data["X"][members], data["y"][members])
    expected = balanced_accuracy_score(data["y_val"], model.predict(data["X_val"]))
    walk = naive_walks.walks_of([members.tolist()], [[members.size]], [[]])
    assert games.DataGame(SklearnUtility(NaiveBayes(), "balanced_accuracy"), **data).walk(walk).item() == pytest.approx(
        expected
    )


@pytest.mark.parametrize("score", ["r2", "mean_squared_error", "squared_errors"])
def test_regressors_take_targets(score, data, walks):
    targets = {
        **data,
        "y": data["X"].sum(axis=1),
        "y_val": data["X_val"].sum(axis=1) + 0.3,
        "y_items": data["X_items"].sum(axis=1),
    }
    game = games.DataGame(SklearnUtility(RidgeOfTargets(), score), **targets)
    X, y = np.concatenate([data["X"], data["X_items"]]), np.concatenate([targets["y"], targets["y_items"]])
    expected = []
    for members in naive_walks.multisets_behind(walks):
        members = np.sort(members).astype(int)
        predicted = (
            RidgeOfTargets().fit(X[members], y[members]).predict(data["X_val"]) if members.size else np.zeros(15)
        )
        errors, spread = (predicted - targets["y_val"]) ** 2, np.var(targets["y_val"])
        expected.append(
            {"r2": [1 - errors.mean() / spread], "mean_squared_error": [-errors.mean()], "squared_errors": -errors}[
                score
            ]
        )
    np.testing.assert_allclose(game.walk(walks), expected, rtol=0, atol=tolerance.REORDERED)
    assert SklearnUtility(DecisionTreeRegressor()).score.name == "r2"


def test_a_users_function_scores_the_predictions(data):
    half = games.DataGame(SklearnUtility(NaiveBayes(), odd_estimators.half_right), **data)
    whole = games.DataGame(SklearnUtility(NaiveBayes()), **data)
    coalitions = np.random.default_rng(0).random((5, N)) < np.array([[0.0], [0.3], [0.5], [0.7], [1.0]])
    np.testing.assert_allclose(half.evaluate(coalitions), whole.evaluate(coalitions) / 2, rtol=tolerance.REORDERED)


def test_values_depend_on_the_multiset_and_not_on_order_batch_or_workers(data, pool, walks):
    here = games.DataGame(SklearnUtility(pool.utility.estimator), **data)
    expected = here.walk(walks).tobytes()
    assert pool.walk(walks).tobytes() == expected
    assert pool.walk(walks, max_bytes=64).tobytes() == expected == here.walk(walks, max_bytes=64).tobytes()
    orders = ops.permutations(N, 6, seed=1)
    ends = [game.walk(ops.Walks.of_permutations(orders))[N :: N + 1].ravel() for game in (here, pool)]
    assert np.unique(np.concatenate(ends)).size == 1
    assert here.fingerprint == pool.fingerprint


def test_chance_within_an_estimator_is_seeded_so_that_a_coalition_has_one_value(data):
    forest = SklearnUtility(make_pipeline(StandardScaler(), RandomForestClassifier(3)), random_state=5)
    coalitions = np.random.default_rng(0).random((4, N)) < 0.6
    twice = [games.DataGame(forest, **data).evaluate(coalitions).tobytes() for _ in range(2)]
    assert twice[0] == twice[1]
    assert forest.estimator[-1].random_state == 5
    assert SklearnUtility(RandomForestClassifier(3, random_state=9)).estimator.random_state == 9


def test_a_worker_that_was_killed_between_two_walks_is_named_and_replaced(data, pool, walks):
    expected = pool.walk(walks).tobytes()
    running = pool._prepared.workers
    killed = running.pids[0]
    os.kill(killed, signal.SIGKILL)
    running._workers[0].process.join()
    with pytest.warns(
        RuntimeWarning, match=f"worker process {killed} ended with exit code -9 while it had nothing to score"
    ):
        assert pool.walk(walks).tobytes() == expected
    assert killed not in running.pids and len(running.pids) == 2


def test_a_fit_that_kills_its_process_is_repeated_and_reported(pool, walks, marker):
    expected = pool.walk(walks).tobytes()
    pids = pool._prepared.workers.pids
    marker.unlink()
    with pytest.warns(RuntimeWarning, match="while it scored coalitions") as warned:
        assert pool.walk(walks).tobytes() == expected
    (message,) = [str(w.message) for w in warned]
    named = re.match(
        r"worker process (\d+) ended with exit code -9 while it scored coalitions \d+ to \d+ of a batch; they are",
        message,
    )
    assert int(named[1]) in pids and int(named[1]) not in pool._prepared.workers.pids


def test_the_workers_refuse_what_keeps_killing_them(pool, marker, monkeypatch):
    monkeypatch.setattr(workers, "_MOST_DEATHS", 1)
    here, gone = marker.parent, marker.parent.with_name("gone")
    here.rename(gone)
    try:
        with pytest.raises(
            RuntimeError, match=r"worker process \d+ ended .*coalitions 0 to 0 of a batch, of 24 to 24 players"
        ):
            pool.evaluate(np.ones((1, N), dtype=bool))
    finally:
        gone.rename(here)
    assert np.isfinite(pool.evaluate(np.ones((1, N), dtype=bool))).all()


def test_a_fit_that_raises_is_named_with_its_coalition(data):
    game = games.DataGame(SklearnUtility(odd_estimators.Refuses()), **data)
    coalition = np.zeros((1, N), dtype=bool)
    coalition[0, [1, 2, 3, 5, 8]] = True
    with pytest.raises(
        utilities.RefitError,
        match=r"Refuses\(\) failed on the coalition of 5 players \(1, 2, 3, 5, 8\): ArithmeticError: too much",
    ):
        game.evaluate(coalition)


def test_predictions_of_another_shape_are_refused(data):
    targets = {**data, "y": np.arange(N) / 7, "y_val": np.arange(15) / 7, "y_items": np.arange(N_OUTSIDE) / 7}
    game = games.DataGame(SklearnUtility(odd_estimators.AnswersAColumn()), **targets)
    with pytest.raises(utilities.RefitError, match=r"predict answered shape \(15, 1\); expected \(15,\)"):
        game.evaluate(np.ones((1, N), dtype=bool))


def test_a_value_that_is_not_a_number_is_refused_with_its_coalition(data):
    game = games.DataGame(SklearnUtility(odd_estimators.NotANumber(), "log_loss"), **data)
    with pytest.raises(
        ValueError,
        match=r"SklearnUtility scored a coalition with a value that is not finite: nan for 5 players \(0, 1, 2, 3, 4\)",
    ):
        game.evaluate(np.tril(np.ones((N, N), dtype=bool)))


SCRIPT = """
import signal, sys
signal.signal(signal.SIGINT, signal.default_int_handler)
sys.path.insert(0, {tests!r})
import numpy as np, odd_estimators, fastsa
from fastsa import estimators, games, utilities
if __name__ == "__main__":
    X, y = np.random.default_rng(0).normal(size=(40, 2)), np.arange(40) % 2
    game = games.DataGame(utilities.SklearnUtility(odd_estimators.Slow(), n_workers={n_workers}), X, y, X, y)
    game.evaluate(np.eye(40, dtype=bool)[:2] | np.eye(40, dtype=bool)[1:3])
    print("ready", *(game._prepared.workers.pids if game._prepared.workers else ()), flush=True)
    fastsa.LabelStream(game, estimators.PermutationShapley(), samples=10**4).collect()
"""


@pytest.mark.skipif(os.name != "posix", reason="sends SIGINT")
def test_ctrl_c_ends_the_work_and_the_workers():
    """The whole group gets the signal, as from a terminal. About a second is promised; three allow for a busy machine."""
    script = SCRIPT.format(tests=str(Path(odd_estimators.__file__).parent), n_workers=2)
    process = subprocess.Popen(
        [sys.executable, "-c", script],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        said = process.stdout.readline().split()
        assert said and said[0] == "ready", process.stderr.read()
        time.sleep(0.4)
        os.killpg(process.pid, signal.SIGINT)
        start = time.perf_counter()
        _, error = process.communicate(timeout=30)
        seconds = time.perf_counter() - start
    finally:
        process.kill()
    assert process.returncode == -signal.SIGINT and error.strip().endswith("KeyboardInterrupt"), error
    assert error.count("Traceback") == 1, error
    assert seconds < 3
    assert not any(Path(f"/proc/{pid}").exists() for pid in said[1:])


def test_work_goes_on_after_it_was_cancelled(pool, walks):
    expected, cancel = pool.walk(walks).tobytes(), Cancel()
    cancel.set()
    with pytest.raises(Cancelled):
        pool.walk(walks, cancel=cancel)
    assert pool.walk(walks).tobytes() == expected


def test_work_goes_on_after_ctrl_c_cut_a_message_in_two(pool, walks, monkeypatch):
    expected = pool.walk(walks).tobytes()

    def cut(worker):
        os.read(worker.pipe.fileno(), 2)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(workers.Worker, "take", cut)
        with pytest.raises(KeyboardInterrupt):
            pool.walk(walks)
    assert pool.walk(walks).tobytes() == expected


def test_the_repr_says_that_it_is_slow_why_and_what_is_not():
    assert repr(SklearnUtility(LogisticRegression(C=2.0))) == (
        "SklearnUtility(LogisticRegression(C=2.0, random_state=0), score='accuracy', empty=None, random_state=0; "
        "slow: refits at every scored position, Logistic would not)"
    )
    assert "an OpenUtility would not" in repr(SklearnUtility(DecisionTreeClassifier()))
    assert (
        SklearnUtility(NaiveBayes(), n_workers=2)
        == SklearnUtility(NaiveBayes())
        != SklearnUtility(NaiveBayes(var_smoothing=1.0))
    )
    many = [
        make_pipeline(StandardScaler(), RandomForestClassifier(class_weight={c: c + d for c in range(29)}))
        for d in (0, 1)
    ]
    assert repr(SklearnUtility(many[0])) != repr(SklearnUtility(many[1]))


@pytest.mark.parametrize(
    ("make", "error", "complaint"),
    [
        (lambda: SklearnUtility(NaiveBayes), TypeError, "expected a scikit-learn estimator"),
        (lambda: SklearnUtility("svm"), TypeError, "estimator is 'svm'"),
        (lambda: SklearnUtility(StandardScaler()), TypeError, "has no predict; expected a classifier or a regressor"),
        (
            lambda: SklearnUtility(SVC(), "log_loss"),
            ValueError,
            "score is 'log_loss', which needs class probabilities, and SVC.* has no predict_proba",
        ),
        (lambda: SklearnUtility(RidgeOfTargets(), "accuracy"), ValueError, "'accuracy', which is not one of targets"),
        (lambda: SklearnUtility(NaiveBayes(), "r2"), ValueError, "'r2', which is not one of classes"),
        (lambda: SklearnUtility(NaiveBayes(), empty=np.nan), ValueError, "empty is nan"),
        (lambda: SklearnUtility(NaiveBayes(), n_workers=0), ValueError, "n_workers is 0"),
        (lambda: SklearnUtility(NaiveBayes(), random_state=-1), ValueError, "random_state is -1"),
        (
            lambda: SklearnUtility(NaiveBayes(), lambda y, p: 0.0, n_workers=2),
            TypeError,
            "cannot be sent to worker processes",
        ),
    ],
)
def test_bad_settings_are_refused_before_any_work(make, error, complaint):
    with pytest.raises(error, match=complaint):
        make()


def test_without_scikit_learn_one_sentence_names_the_extra(monkeypatch):
    for name in [m for m in sys.modules if m.split(".")[0] == "sklearn"]:
        monkeypatch.setitem(sys.modules, name, None)
    monkeypatch.setitem(sys.modules, "sklearn", None)
    with pytest.raises(fastsa.BackendUnavailable, match=r"pip install 'fastsa\[demo\]'"):
        SklearnUtility(None)
