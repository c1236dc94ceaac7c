r"""Claim: an amortized explainer of a tabular model beats Monte Carlo at equal evaluations (not run in the paper).

    python -m bench.paper.adult_attribution [--data-dir DATA] [--small] [--out FOLDER]

Adult, 13 variables as players, a gradient-boosted classifier's probability of the higher income, marginal masking by 100
background rows. Labels are antithetic permutations, whose noise falls as one over their number; a third of every budget
selects the epoch. Truth is 1,000 antithetic permutations of 100 training and 100 held-out inputs, its variance subtracted.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path

import numpy as np
from sklearn.ensemble import HistGradientBoostingClassifier

import fastsa
from bench import data
from bench.paper import attributions
from fastsa import games
from fastsa.amortize import AttributionNet
from fastsa.estimators import PermutationShapley

BUDGETS = (3, 6, 12, 24)
ESTIMATOR = PermutationShapley(antithetic=True)


def explained(adult: data.Table, seed: int) -> HistGradientBoostingClassifier:
    rows = np.random.default_rng(seed).permutation(len(adult.y))[:30_000]
    return HistGradientBoostingClassifier(max_iter=100, random_state=seed).fit(adult.X[rows], adult.y[rows])


def run(data_dir: Path, *, inputs: int, truth_inputs: int, truth_samples: int, budgets: tuple[int, ...], epochs: int, seed: int) -> dict:
    adult = data.adult(data_dir)
    model = explained(adult, 0)
    order = np.random.default_rng(1).permutation(len(adult.y))
    train_rows, held_out, background = np.split(order[: inputs + truth_inputs + 100], [inputs, inputs + truth_inputs])
    masker = games.Groups(adult.variable, games.Marginal(adult.X[background]))

    def probability(x: np.ndarray) -> np.ndarray:
        return model.predict_proba(x)[:, 1]

    rows = np.concatenate([train_rows, held_out])
    game = games.ModelGame(probability, adult.X[rows], masker)
    watched = {"training inputs": np.arange(truth_inputs), "held-out inputs": np.arange(inputs, inputs + truth_inputs)}
    start = time.perf_counter()
    truths = {}
    for name, items in watched.items():
        labels = fastsa.LabelStream(game, ESTIMATOR, samples=truth_samples, role="truth", items=items, seed=seed).collect()
        truths[name] = attributions.Truth(labels.mean, labels.stderr**2)
    record = {"truth_seconds": time.perf_counter() - start, "inputs": inputs, "budgets": {}}
    tables = []
    for budget in budgets:
        tables += _at_budget(game, adult.X[rows], budget, inputs, watched, truths, epochs, seed, record)
    record["tables"] = [str(t) for t in tables]
    return record


def _at_budget(game, X, budget, inputs, watched, truths, epochs, seed, record):  # noqa: ANN001, ANN202
    items = np.arange(inputs)
    n_select = max(1, budget // 3)
    start = time.perf_counter()
    train = fastsa.LabelStream(game, ESTIMATOR, samples=budget - n_select, role="train", items=items, seed=seed).collect()
    select = fastsa.LabelStream(game, ESTIMATOR, samples=n_select, role="select", items=items, seed=seed).collect()
    labeled = time.perf_counter()
    net = AttributionNet("mlp", width=256, epochs=epochs, batch_size=128, seed=seed)
    net.fit(X[:inputs], train, select=select)
    trained = time.perf_counter()
    whole = train.merge(select)
    mean = whole.mean.mean(axis=0)
    evaluations = whole.evaluations / inputs
    made = {}
    for name, where in watched.items():
        if name == "training inputs":
            labels = whole.take(where)
        else:
            labels = fastsa.LabelStream(game, ESTIMATOR, samples=budget, role="certify", items=where, seed=seed).collect()
        variance = np.nanmean(labels.variance, axis=0) / budget if budget > 1 else np.zeros_like(mean)
        methods = {
            "amortized": net.predict(X[where]),
            "Monte Carlo, whole budget": labels.mean,
            "Monte Carlo, shrunk": attributions.shrunk(labels.mean, mean, variance),
            "ridge on features": attributions.ridge(X[:inputs], train.mean, X[where], select.mean),
            "constant": np.broadcast_to(mean, labels.mean.shape),
        }
        made[name] = attributions.table(methods, truths[name], f"Adult, {name}: {evaluations:.0f} evaluations per input")
    noise = float(np.nanmean(whole.variance.sum(axis=1)))
    held = truths["held-out inputs"]
    error = made["held-out inputs"]["amortized", "error"]
    worth = attributions.plain_samples_worth(error, noise, float(held.spread.mean()))
    record["budgets"][budget] = {
        "evaluations_per_input": evaluations,
        "label_seconds": labeled - start,
        "training_seconds": trained - labeled,
        "amortized": error,
        "monte_carlo": made["held-out inputs"]["Monte Carlo, whole budget", "error"],
        "worth_samples": worth,
    }
    print(*made.values(), sep="\n\n", flush=True)
    print(f"\namortized, unseen inputs: as good as {worth:.0f} antithetic permutations each, {worth / budget:.0f} times the budget;"
          f" labels {labeled - start:.1f} s, training {trained - labeled:.1f} s\n", flush=True)  # fmt: skip
    return list(made.values())


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data-dir")
    parser.add_argument("--out", type=Path, default=None, help="folder for the JSON record")
    parser.add_argument("--small", action="store_true", help="300 inputs, one budget: seconds")
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args(arguments)
    size = {"inputs": 10_000, "truth_inputs": 100, "truth_samples": 1000, "budgets": BUDGETS, "epochs": 40}
    if given.small:
        size = {"inputs": 300, "truth_inputs": 20, "truth_samples": 100, "budgets": (3,), "epochs": 10}
    record = run(data.folder(given.data_dir), **size, seed=given.seed)
    if given.out:
        given.out.mkdir(parents=True, exist_ok=True)
        (given.out / "adult_attribution.json").write_text(json.dumps(record, indent=2))


if __name__ == "__main__":
    main()
