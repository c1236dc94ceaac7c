r"""Question: at one budget of labels, many points with noisy labels or few points with accurate ones?

    python -m bench.paper.split [--data-dir DATA] [--tasks "CIFAR-10, KNN" "Adult, logistic"] [--seeds 5] [--minutes 60]
        [--out FOLDER] [--small]

Covert et al. leave the split open (section 6). Here 2,000 labels of the game's points, one sample each of 2,000 points
down to 25 samples of 80, train a network that then values 400 points which no label is of; the error is that of those.
Every network makes as many steps. "informed" is the default network, "recipe" the paper's.

Beside it a rule that knows no truth: the law that `fastsa.plan` fits to a pilot of at most a quarter of the budget
(two samples each), read at every split. Its learner is the network itself for "recipe", and the closed-form start
alone for "informed", whose network keeps that start nearly always.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

import fastsa
from bench.paper import cheap_games, valuing
from fastsa.amortize import ValuationNet
from fastsa.display import Table, new_figure
from fastsa.display.figures import BLUE, GREY, ORANGE
from fastsa.planning import ItemLabels

SAMPLES = (1, 2, 5, 10, 25)


def measured(setting: cheap_games.CheapGame, truth: fastsa.Labels, points: int, samples: int, seed: int) -> dict:
    pool = setting.data.y.size - setting.truth_items.size
    labelled = cheap_games.blocks_in_order(pool, seed)[:points]
    given = cheap_games.of_all(cheap_games.labels(setting, labelled, samples, seed), setting)
    found: dict = {"points": points, "samples": samples, "seed": seed}
    for learner in cheap_games.LEARNERS:
        net = cheap_games.network(setting, given, seed, learner)
        estimate = cheap_games.values(setting, net)[setting.truth_items]
        found[learner] = cheap_games.scores(estimate, truth) | {"best_epoch": int(net.best_epoch_)}
    return found


def forecast(setting: cheap_games.CheapGame, learner: str, splits: list[tuple[int, int]], seed: int) -> dict:
    """What the pilot's law says of every split, and the split that `fastsa.plan` itself would take."""
    d, n = setting.data, setting.data.y.size
    influences = setting.influences if learner == "informed" else None

    def learn(labels: ItemLabels) -> np.ndarray:
        if learner == "recipe":
            net = cheap_games.network(setting, labels, seed, learner)
        else:
            net = ValuationNet(seed=seed, epochs=0, pretrain_epochs=0, n_threads=1).fit(
                d.X, d.y, labels, n_classes=setting.n_classes, influences=influences
            )
        return cheap_games.values(setting, net)[:, None]

    per_sample = setting.estimator.evaluations(setting.game, np.arange(n)) / n
    budget = int(np.prod(splits[0]) * per_sample)
    plan = fastsa.plan(setting.game, setting.estimator, learn, budget=budget, aim="new", seed=seed, n_threads=1)
    law = [plan.pilot.law.error(points, samples) for points, samples in splits]
    signal = plan.pilot.signal.value
    return {
        "learner": learner,
        "seed": seed,
        "pilot": int(plan.pilot.positions.size),
        "law": [one.value / signal for one in law],
        "chosen": int(np.argmin([one.value for one in law])),
        "own": [int(plan.items), int(plan.samples)],
        "noise": plan.pilot.noise.value / signal,
    }


def shown(task: str, cells: list[dict], plans: list[dict], splits: list[tuple[int, int]]) -> list[Table]:
    rows = {}
    for i, (points, samples) in enumerate(splits):
        these = [c for c in cells if c["points"] == points]
        for plan in plans:
            these.append({f"law, {plan['learner']}": plan["law"][i]})
        rows[f"{points:,} points x {samples}"] = these
    columns = {"informed": ("informed", "error"), "recipe": ("recipe", "error")}
    columns |= {f"forecast, {name}": (f"law, {name}",) for name in cheap_games.LEARNERS}
    errors = cheap_games.table(
        f"{task}: error on points without labels, {splits[0][0] * splits[0][1]:,} labels in all", columns, rows
    )
    return [errors, regrets(task, cells, plans, splits)]


def regrets(task: str, cells: list[dict], plans: list[dict], splits: list[tuple[int, int]]) -> Table:
    """Errors of the splits that rules choose, over the best split's, whose mean error over the seeds is the least."""
    rows = []
    for learner in cheap_games.LEARNERS:
        error = {(c["points"], c["seed"]): c[learner]["error"] for c in cells}
        seeds = sorted({c["seed"] for c in cells})
        mean = [np.mean([error[points, s] for s in seeds]) for points, _ in splits]
        best = int(np.argmin(mean))
        own = {p["seed"]: p["chosen"] for p in plans if p["learner"] == learner and p["seed"] in seeds}
        rules = {"the planner's law": own, "most points": dict.fromkeys(seeds, 0)}
        for rule, chosen in rules.items():
            # Of one seed the best of five measured errors is partly luck: means of all seeds are compared.
            ratios = [mean[chosen[s]] / mean[best] for s in chosen]
            names = sorted({splits[i][0] for i in chosen.values()}, reverse=True)
            text = ", ".join(
                f"{n:,} ({sum(splits[i][0] == n for i in chosen.values())} of {len(chosen)})" for n in names
            )
            rows.append((f"{learner}, {rule}", f"{splits[best][0]:,}", text, *valuing.over_seeds(ratios), max(ratios)))
    head = ("", "best points", "chosen points", "error over best", "95 % interval", "largest")
    return Table(head, tuple(rows), (), f"{task}: the rule's choice")


def draw(results: dict[str, tuple[list[dict], list[dict]]], splits: list[tuple[int, int]], path: Path) -> None:
    figure, axes = new_figure(len(results), (4.0 * len(results), 3.4))
    for axis, (task, (cells, plans)) in zip(axes, results.items(), strict=True):
        points = [p for p, _ in splits]
        for learner, color in zip(cheap_games.LEARNERS, (BLUE, ORANGE), strict=True):
            means, ends = zip(*(
                cheap_games.mean_and_interval([c for c in cells if c["points"] == p], learner, "error") for p in points
            ), strict=True)  # fmt: skip
            half = [0.0 if end is None else end[1] - mean for mean, end in zip(means, ends, strict=True)]
            axis.errorbar(points, means, half, fmt="o-", ms=4, lw=1.5, color=color, label=f"{learner}, measured")
            law = np.mean([p["law"] for p in plans if p["learner"] == learner], axis=0)
            axis.plot(points, law, ":", lw=1.5, color=color, label=f"{learner}, forecast from the pilot")
        axis.axhline(1.0, lw=0.7, color=GREY)
        axis.set_xscale("log")
        axis.set_xticks(points, [f"{p:,}\nx {k}" for p, k in splits])
        axis.minorticks_off()
        axis.set_ylim(0, 1.3)
        axis.set_title(task, loc="left")
        axis.set_xlabel("points x samples")
    axes[0].set_ylabel("error on other points (a constant: 1)")
    axes[0].legend(frameon=False, fontsize=8)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=150)


def run(task: str, setting: cheap_games.CheapGame, given: argparse.Namespace, splits: list) -> tuple[list, list]:
    truth, seeds = cheap_games.truth_of(setting, given), range(given.seeds)
    name = f"split-{setting.name}"
    jobs = [
        cheap_games.job(f"{name}-{seed}-{points}", measured, setting, truth, points, samples, seed)
        for seed in seeds
        for points, samples in splits
    ]
    jobs += [
        cheap_games.job(f"{name}-{seed}-plan-{learner}", forecast, setting, learner, splits, seed)
        for seed in seeds
        for learner in cheap_games.LEARNERS
    ]
    found = cheap_games.recorded(jobs, given)
    return [c for c in found if "points" in c], [c for c in found if "law" in c]


def main(arguments: list[str] | None = None) -> None:
    given = cheap_games.parse(__doc__, arguments)
    budget, samples = (400, (2, 4)) if given.small else (2000, SAMPLES)
    splits = [(budget // k, k) for k in samples]
    results = {}
    for task, setting in cheap_games.settings(given).items():
        cells, plans = run(task, setting, given, splits)
        whole = [c for c in cells if sum(o["seed"] == c["seed"] for o in cells) == len(splits)]
        if not whole or not plans:
            continue
        results[task] = whole, plans
        for table in shown(task, whole, plans, splits):
            print(table, end="\n\n", flush=True)
    if results and given.out is not None:
        draw(results, splits, given.out / "split.png")


if __name__ == "__main__":
    main()
