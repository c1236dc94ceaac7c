r"""Claim: from a pilot, the planner forecasts the error of 4 and 16 times its budget, and splits a budget as a search would.

    python -m bench.trust.planner [--data-dir DATA] [--small] [--out FOLDER] [--seeds 5] [--only adult]

Four attribution tasks. Two are synthetic, f(x) = w x + x C x about 0 for 12 features, whose Shapley values are known,
learned by ridge on the features alone or with random ReLU features beside them; two are Adult, 13 variables, the
probability of a small network, learned likewise; truth is 32 antithetic permutations, their variance subtracted. Labels are
single permutations. A forecast is judged where its own standard error is 5 % or less; the realised error's own standard error is
printed. The search doubles the samples of an item at the same total cost. Once-costs charge every item as much as 30
samples, so that the best split is not simply all items.
"""

from __future__ import annotations

import argparse
import json
import warnings
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from sklearn.neural_network import MLPClassifier

import fastsa
from bench import data
from fastsa import games
from fastsa.amortize import cross_refine
from fastsa.display import new_figure
from fastsa.display.figures import BLUE, GREY, ORANGE
from fastsa.estimators import PermutationShapley
from fastsa.planning import ItemLabels, Plan, finish
from fastsa.planning.outlook import Costs

PENALTIES = 10.0 ** np.arange(-6.0, 1.0)
ONCE = 30


@dataclass(frozen=True)
class Task:
    """A pool, its game, the features and the truth of the pool and of new inputs, and the variance of that truth per item."""

    name: str
    game: games.ModelGame
    features: np.ndarray
    truth: np.ndarray
    truth_variance: np.ndarray
    new_features: np.ndarray
    new_truth: np.ndarray
    new_truth_variance: np.ndarray


def ridge(features: np.ndarray, labels: ItemLabels) -> Callable[[np.ndarray], np.ndarray]:
    """Ridge of all players at once, its penalty the best by leave-one-out error; answers a function of features."""
    seen = labels.count.min(axis=1) > 0
    x, y = features[seen], labels.mean[seen].reshape(seen.sum(), -1)
    centre, offset = x.mean(axis=0), y.mean(axis=0)
    energy, axes = np.linalg.eigh((x - centre).T @ (x - centre))
    turned = (x - centre) @ axes
    moment = turned.T @ (y - offset)
    best = None
    for penalty in PENALTIES * max(energy.sum(), 1e-300):
        inverse = 1 / (np.maximum(energy, 0) + penalty)
        leverage = turned**2 @ inverse + 1 / len(x)
        press = np.mean(((y - offset - turned @ (inverse[:, None] * moment)) / (1 - leverage)[:, None].clip(1e-6)) ** 2)
        if best is None or press < best[0]:
            best = press, axes @ (inverse[:, None] * moment)
    shape = (-1, *labels.mean.shape[1:])
    return lambda rows: (offset + (rows - centre) @ best[1]).reshape(shape)


def bent(X: np.ndarray, width: int) -> np.ndarray:
    """The features and `width` random ReLU features of them."""
    rng = np.random.default_rng(7)
    weights = rng.normal(size=(X.shape[1], width)) / np.sqrt(X.shape[1])
    return np.concatenate([X, np.maximum(X @ weights + rng.normal(size=width), 0)], axis=1)


def synthetic(n: int, width: int, strength: float) -> Task:
    rng = np.random.default_rng(11)
    d, n_new = 12, 4000
    w, pairs = rng.normal(size=d), strength * np.triu(rng.normal(size=(d, d)), 1)
    X = rng.normal(size=(n + n_new, d))
    truth = (X * w + X * (X @ (pairs + pairs.T)) / 2)[:, :, None]
    features = bent(X, width) if width else X
    game = games.ModelGame(lambda x: x @ w + ((x @ pairs) * x).sum(axis=1), X[:n], games.Baseline(np.zeros(d)))
    name = f"synthetic, ridge on {features.shape[1]} features"
    return Task(name, game, features[:n], truth[:n], np.zeros(n), features[n:], truth[n:], np.zeros(n_new))


def adult(table: data.Table, n: int, n_new: int, truth_samples: int) -> list[Task]:
    order = np.random.default_rng(0).permutation(len(table.y))
    fitted, rows = order[:20_000], order[20_000 : 20_000 + n + n_new]
    net = MLPClassifier((24,), max_iter=15, random_state=0, tol=0.0, n_iter_no_change=100, early_stopping=False)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it stops before it has converged, as asked
        net.fit(table.X[fitted], table.y[fitted])
    (first, second), (b1, b2) = net.coefs_, net.intercepts_
    X = table.X[rows].astype(np.float64)

    def probability(x: np.ndarray) -> np.ndarray:
        return 1 / (1 + np.exp(-(np.maximum(x @ first + b1, 0) @ second + b2)[:, 0]))

    masker = games.Groups(table.variable, games.Baseline(table.X[fitted].mean(axis=0)))
    labels = fastsa.LabelStream(
        games.ModelGame(probability, X, masker),
        PermutationShapley(antithetic=True),
        samples=truth_samples,
        role="truth",
        n_threads=1,
    ).collect()
    truth, variance = labels.mean, np.mean(labels.stderr**2, axis=(1, 2))
    pool = games.ModelGame(probability, X[:n], masker)
    return [
        Task(
            f"Adult, ridge on {f.shape[1]} features",
            pool,
            f[:n],
            truth[:n],
            variance[:n],
            f[n:],
            truth[n:],
            variance[n:],
        )
        for f in (X, bent(X, 200))
    ]


def realised(task: Task, plan: Plan) -> dict[str, tuple[float, float]]:
    """(mean squared error, its standard error over items) of what a plan gives: new, predicted, monte_carlo, refined."""
    halves = finish(plan, task.game, n_threads=1)
    n = task.game.ids.size
    nets = [ridge(task.features, ItemLabels.of(half, plan.labeled, n)) for half in halves]
    both = [net(task.features[plan.labeled]) for net in nets]
    refined = cross_refine(both, halves)
    new, own = (task.new_truth, task.new_truth_variance), (task.truth[plan.labeled], task.truth_variance[plan.labeled])
    estimates = {
        "new": (np.mean([net(task.new_features) for net in nets], axis=0), *new),
        "predicted": (np.mean(both, axis=0), *own),
        "monte_carlo": (halves[0].merge(halves[1]).mean, *own),
        "refined": (refined.values, *own),
    }
    found = {}
    for name, (estimate, truth, variance) in estimates.items():
        squared = ((estimate - truth) ** 2).reshape(len(truth), -1).mean(axis=1) - variance
        found[name] = float(squared.mean()), float(squared.std() / np.sqrt(len(truth)))
    return found


def planned(task: Task, pilot: int, seed: int) -> Plan:
    def learn(labels: ItemLabels) -> np.ndarray:
        return ridge(task.features, labels)(task.features)

    estimator = PermutationShapley()
    per_item = estimator.evaluations(task.game, np.arange(task.game.ids.size)) / task.game.ids.size
    budget = int(16 * pilot * 4 * per_item)
    return fastsa.plan(task.game, estimator, learn, budget=budget, pilot=pilot, seed=seed, n_threads=1)


def forecasts(task: Task, plan: Plan) -> list[dict]:
    rows = []
    for factor in (4, 16):
        outlook = plan.split(plan.budget * factor // 16)
        made = realised(task, replace(plan, items=outlook.items, samples=outlook.samples))
        for what, (error, stderr) in made.items():
            told = getattr(outlook, what)
            rows.append({
                "factor": factor, "what": what, "items": outlook.items, "samples": outlook.samples, "forecast": told.value,
                "relative_stderr": told.stderr / told.value, "low": told.low, "high": told.high,
                "realised": error, "realised_stderr": stderr,
            })  # fmt: skip
    return rows


def searched(task: Task, plan: Plan, once: float, aim: str) -> dict:
    """The realised error of the planner's split over that of the best of a search, at the cost of 16 pilots."""
    costs = Costs(plan.costs.per_sample, once * plan.costs.per_sample)
    charged = replace(plan, costs=costs, aim=aim)
    chosen = charged.split(plan.budget)
    splits, samples = {(chosen.items, chosen.samples)}, plan.pilot.samples
    while (items := int(min(costs.items(plan.budget, samples), plan.n_items))) >= plan.pilot.positions.size:
        splits.add((items, int(costs.samples(plan.budget, items)) // 2 * 2))
        samples *= 2
    errors = {}
    for items, samples in splits:
        made = realised(task, replace(plan, items=items, samples=samples))
        share = items / plan.n_items
        pool = share * made["refined"][0] + (1 - share) * made["new"][0]
        errors[items, samples] = made["new"][0] if aim == "new" else pool
    best = min(errors, key=errors.get)
    mine = (chosen.items, chosen.samples)
    return {"once": once, "aim": aim, "chosen": mine, "best": best, "ratio": errors[mine] / errors[best]}


def show(name: str, rows: list[dict], searches: list[dict]) -> None:
    heads = f"{'own s.e.':>9s}{'s.e. of realised':>18s}{'within 15 %':>13s}{'in interval':>13s}"
    print(f"\n{name}\n  {'':22s}{'forecast / realised, 95 % over seeds':38s}{heads}")
    for factor in (4, 16):
        for what in ("new", "predicted", "monte_carlo", "refined"):
            some = [r for r in rows if (r["factor"], r["what"]) == (factor, what)]
            ratio = np.array([r["forecast"] / r["realised"] for r in some])
            asked = [r for r in some if r["relative_stderr"] <= 0.05]
            kept = sum(abs(r["forecast"] / r["realised"] - 1) <= 0.15 for r in asked)
            half = 1.96 * ratio.std(ddof=1) / np.sqrt(len(ratio)) if len(ratio) > 1 else np.nan
            inside = sum(
                r["low"] - 1.96 * r["realised_stderr"] <= r["realised"] <= r["high"] + 1.96 * r["realised_stderr"]
                for r in some
            )
            error = np.median([r["realised_stderr"] / r["realised"] for r in some])
            own = np.median([r["relative_stderr"] for r in some])
            print(
                f"  {factor:2d} x pilot, {what.replace('_', ' '):12s}{ratio.mean():7.3f} +- {half:.3f} "
                f"({ratio.min():.3f} .. {ratio.max():.3f}){100 * own:15.1f} %{100 * error:16.1f} %"
                f"{kept:9d} of {len(asked)}{inside:9d} of {len(some)}"
            )
    for once, aim in sorted({(s["once"], s["aim"]) for s in searches}):
        some = [s for s in searches if (s["once"], s["aim"]) == (once, aim)]
        ratio = np.array([s["ratio"] for s in some])
        print(
            f"  split, once-cost {once:g}, for {aim}: error / best of search {ratio.mean():.3f} (largest {ratio.max():.3f}); "
            f"chosen {some[0]['chosen']}, best {some[0]['best']} (first seed)"
        )


def draw(tasks: dict[str, dict], path: Path) -> None:
    from matplotlib.ticker import NullFormatter

    figure, axes = new_figure(len(tasks), (3.6 * len(tasks), 3.6))
    for axis, (name, record) in zip(axes, tasks.items(), strict=True):
        for what, color in (("new", ORANGE), ("monte_carlo", GREY), ("refined", BLUE)):
            rows = [r for r in record["rows"] if r["what"] == what]
            realised_errors, told = [r["realised"] for r in rows], [r["forecast"] for r in rows]
            spread = [
                [max(r["forecast"] - r["low"], 0) for r in rows],
                [max(r["high"] - r["forecast"], 0) for r in rows],
            ]
            axis.errorbar(
                realised_errors, told, spread, fmt="o", ms=3, lw=0.8, color=color, label=what.replace("_", " ")
            )
        axis.set_xscale("log"), axis.set_yscale("log")
        for side in (axis.xaxis, axis.yaxis):
            side.set_minor_formatter(NullFormatter())
        ends = axis.get_xlim()
        axis.plot(ends, ends, color="black", lw=0.7)
        axis.set_title(name, loc="left", fontsize=9)
        axis.set_xlabel("realised error")
    axes[0].set_ylabel("forecast from the pilot")
    axes[0].legend(frameon=False, fontsize=8)
    figure.savefig(path, dpi=150, bbox_inches="tight")


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data-dir")
    parser.add_argument("--out", type=Path)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--small", action="store_true")
    parser.add_argument("--only", default="", choices=("", "synthetic", "adult"), help="some tasks")
    given = parser.parse_args(arguments)
    pilot, n, n_new, truth_samples = (200, 800, 200, 4) if given.small else (3000, 12_000, 4000, 32)
    tasks = [synthetic(n, 0, 0.3), synthetic(n, 200, 0.3)] if given.only != "adult" else []
    if given.only != "synthetic":
        tasks += adult(data.adult(data.folder(given.data_dir)), n, n_new, truth_samples)
    records = {}
    for task in tasks:
        rows, searches = [], []
        for seed in range(given.seeds):
            plan = planned(task, pilot, seed)
            rows += forecasts(task, plan)
            searches += [searched(task, plan, 0, "pool"), searched(task, plan, ONCE, "new")]
        show(task.name, rows, searches)
        records[task.name] = {"rows": rows, "searches": searches}
    if given.out:
        given.out.mkdir(parents=True, exist_ok=True)
        (given.out / "planner.json").write_text(json.dumps(records, indent=2))
        draw(records, given.out / "planner.png")


if __name__ == "__main__":
    main()
