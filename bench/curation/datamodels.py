r"""Datamodels by a two-tower network: who predicts best what a random training subset does to each validation point.

    python bench/curation/datamodels.py
    python bench/curation/datamodels.py --set cifar10 --data-dir DATA

The linear datamodeling score (LDS) on subsets that no method has seen, at every budget of evaluated subsets. All methods
spend the same subsets: the net trains on four fifths of them and selects on the rest. "unseen" is the score on validation
points that no label was made for, which only what reads features can have.
"""

from __future__ import annotations

import argparse
import os
import time
from pathlib import Path

import numpy as np
from noisy_sets import load as load_noisy
from threadpoolctl import threadpool_limits

from fastsa import LabelStream
from fastsa.amortize import DatamodelNet, baselines, member_regression
from fastsa.amortize.ridge import leave_one_out_ridge
from fastsa.estimators import BanzhafMSR
from fastsa.games import DataGame
from fastsa.metrics import datamodeling_score
from fastsa.utilities import KNN, Logistic

UTILITIES = {"logistic": Logistic(score="log_likelihood"), "knn": KNN(5, score="votes")}
_TRUTH_SEED = 2024


def points(name: str, given: argparse.Namespace) -> tuple[np.ndarray, ...]:
    """X, y of the pool and of twice as many validation points as have labels; a tenth of the pool's classes are wrong."""
    n, m = given.points, 2 * given.val
    if name == "cifar10":
        one = load_noisy("cifar10", Path(given.data_dir), points=n, val=m, test=0, flipped=0.1, seed=given.seed)
        return one.X, one.y, one.X_val, one.y_val
    from sklearn.datasets import load_digits

    X, y = load_digits(return_X_y=True)
    rng = np.random.default_rng(given.seed)
    order = rng.permutation(y.size)[: n + m]
    X, y = X[order] / 16.0, y[order].copy()
    wrong = rng.permutation(n)[: n // 10]
    y[wrong] = (y[wrong] + rng.integers(1, 10, size=wrong.size)) % 10
    return X[:n], y[:n], X[n:], y[n:]


def features(X: np.ndarray, y: np.ndarray, n_classes: int) -> np.ndarray:
    return np.concatenate([X, np.eye(n_classes)[y]], axis=1)


def ridge_on_features(of: np.ndarray, on: np.ndarray, same: np.ndarray, mean: np.ndarray) -> tuple[np.ndarray, float]:
    """Labels on the features and class of both points, and whether the classes are the same: (weights, intercept)."""
    m = on.shape[0]

    def columns(pairs: slice) -> np.ndarray:
        i, v = np.divmod(np.arange(pairs.start, pairs.stop), m)
        return np.concatenate([of[i], on[v], same[i, v][:, None]], axis=1)

    return leave_one_out_ridge(columns, mean.ravel(), np.ones(mean.size))


def drawn(n: int, subsets: int, seed: int) -> np.ndarray:
    return np.random.default_rng([seed, _TRUTH_SEED]).random((subsets, n)) < 0.5


def methods(
    data: tuple[np.ndarray, ...], game: DataGame, labelled: int, budget: int, given: argparse.Namespace
) -> dict[str, np.ndarray]:
    """Effects by method: [n, m] where it has labelled validation points only, [n, 2 m] where it predicts all."""
    X, y, X_val, y_val = data
    n_classes, n_select = game.classes.size, budget // 5
    stream = {"seed": given.seed, "n_threads": given.threads}
    train = LabelStream(game, BanzhafMSR(), samples=budget - n_select, role="train", **stream).collect()
    select = LabelStream(game, BanzhafMSR(), samples=n_select, role="select", **stream).collect()
    both = train.merge(select)
    counts = np.repeat(both.count, labelled)
    made = {"noisy labels": both.mean}
    made["noisy labels, shrunk"] = baselines.shrunk(both.mean.ravel(), counts, both.variance.ravel()).reshape(
        both.mean.shape
    )
    made["regression on members"] = member_regression(both)
    of, on = features(X, y, n_classes), features(X_val, y_val, n_classes)
    same = (y[:, None] == y_val).astype(float)
    weights, intercept = ridge_on_features(of, on[:labelled], same[:, :labelled], both.mean)
    a, b, c = np.split(weights, [of.shape[1], of.shape[1] + on.shape[1]])
    made["ridge on features"] = intercept + (of @ a)[:, None] + on @ b + c[0] * same
    y, y_val = y.astype(np.int32), y_val.astype(np.int32)
    seen = X_val[:labelled], y_val[:labelled]
    start = DatamodelNet(epochs=0, seed=given.seed).fit(X, y, *seen, both, n_classes=n_classes)
    made["pair inputs alone"] = start.predict(X, y, X_val, y_val)
    net = DatamodelNet(seed=given.seed, epochs=given.epochs).fit(X, y, *seen, train, select=select, n_classes=n_classes)
    made["two-tower net"] = net.predict(X, y, X_val, y_val)
    made["two-tower net, and regression on members"] = member_regression(both, made["two-tower net"][:, :labelled])
    print(f"  {budget:,} subsets: the net's best epoch is {net.best_epoch_} of {given.epochs}", flush=True)
    return made


def report(given: argparse.Namespace) -> None:
    data = points(given.set, given)
    X, y, X_val, y_val = data
    utility, m = UTILITIES[given.utility], given.val
    print(f"{given.set}, {utility}: {y.size} points, {m} validation points with labels, {m} without; seed {given.seed}")
    start = time.perf_counter()
    truth = drawn(y.size, given.subsets, given.seed)
    outputs = DataGame(utility, X, y, X_val, y_val).evaluate(truth)
    print(f"  {given.subsets} subsets to compare with: {time.perf_counter() - start:.0f} s", flush=True)
    game = DataGame(utility, X, y, X_val[:m], y_val[:m])
    for budget in given.budgets:
        start = time.perf_counter()
        rows = methods(data, game, m, budget, given)
        print(f"\n  LDS at {budget:,} evaluated subsets ({time.perf_counter() - start:.0f} s)")
        print(f"  {'':<44} labelled                unseen")
        for name, effects in rows.items():
            labelled = datamodeling_score(effects[:, :m], truth, outputs[:, :m])
            unseen = "-"
            if effects.shape[1] > m:
                other = datamodeling_score(effects[:, m:], truth, outputs[:, m:])
                unseen = f"{other.score:.3f} [{other.low:.3f}, {other.high:.3f}]"
            print(
                f"  {name:<44} {labelled.score:.3f} [{labelled.low:.3f}, {labelled.high:.3f}]    {unseen}", flush=True
            )
        print()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--set", choices=["digits", "cifar10"], default="digits")
    parser.add_argument("--data-dir", default=os.environ.get("FASTSA_DATA"))
    parser.add_argument("--utility", choices=UTILITIES, default="logistic")
    parser.add_argument("--points", type=int, default=500)
    parser.add_argument("--val", type=int, default=200, help="validation points with labels; as many are kept without")
    parser.add_argument("--budgets", type=int, nargs="+", default=[500, 4000])
    parser.add_argument("--subsets", type=int, default=300, help="held-out subsets that the score is taken over")
    parser.add_argument("--epochs", type=int, default=30)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=1)
    given = parser.parse_args()
    if given.set == "cifar10" and given.data_dir is None:
        parser.error("cifar10 needs a data folder: give --data-dir or set FASTSA_DATA.")
    with threadpool_limits(1):
        report(given)


if __name__ == "__main__":
    main()
