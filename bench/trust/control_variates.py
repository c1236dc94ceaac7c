r"""Claim: a network distilled from the model is a control variate that saves most evaluations and leaves labels unbiased.

    python -m bench.trust.control_variates [--data-dir DATA] [--small] [--games adult vit knn] [--vit FOLDER]
        [--blocks 0 1 3] [--seeds 5] [--out FOLDER] [--seed 0]

Two games of the attribution experiments (Adult, 13 players, one drawn background row per sample; the Fashion ViT, 49 patches,
ten outputs): a cheap network learns the model's outputs on masked inputs that are not explained. On the ViT it is three of
its four blocks, taught what one patch adds (bench.trust.shortened); the scale of the control is fitted on inputs that are
not explained. And Data Shapley of logistic regression's accuracy on Adult, controlled by one nearest neighbour, whose values
are exact (KNN-Shapley; both start from the same score of nobody, 1 / 2, which is worth -1 / 2n to every point).
fastsa.games.Controlled subtracts the cheap game. At equal evaluations of the model, error is the squared error over
all players, the mean of inputs, outputs and seeds of labels, less the truth's own variance; "fewer" is how many times
the evaluations plain permutations need for it (errors of unbiased labels fall as one over samples), with a bootstrap
interval over inputs and seeds. The error of the cheap game's estimated values is in it. The last lines are z-tests of
the mean over seeds of their own against the truth, and of a control of wrong values, which must fail. What the cheap
network costs follows: evaluations of the model to teach it, after how many explained inputs they are saved again, and
seconds. --vit is a folder of bench.paper.fashion_vit, which left its model there; the cheap network is kept beside it.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from scipy import stats

import fastsa
from bench import data
from bench.paper import adult_attribution, fashion_vit, vit
from bench.trust import shortened
from fastsa import estimators, games, utilities
from fastsa.display import Table, new_figure
from fastsa.display.figures import BLUE, GREY, ORANGE
from fastsa.labels import fitted_scale

PLAIN = "permutations"
METHODS = {
    PLAIN: estimators.PermutationShapley(),
    "antithetic permutations": estimators.PermutationShapley(antithetic=True),
    "AdjustedMSR": estimators.AdjustedMSR(),
    "KernelSHAP (biased)": estimators.KernelSHAP(),
    "LeverageSHAP (biased)": estimators.LeverageSHAP(),
}
FALSE_ALARM = 1e-3


@dataclass(frozen=True)
class Learning:
    """What a cheap network cost: evaluations of the model, once for all inputs; its own time, in evaluations of the model."""

    evaluations: int
    time: float

    def broken_even(self, evaluations: float, fewer: float) -> float:
        """Inputs of so many evaluations, controlled, after which plain labels of the same error had cost as much."""
        return self.evaluations / (evaluations * (fewer - 1)) if fewer > 1 else np.inf

    def fewer_seconds(self, fewer: float) -> float:
        """Time that plain permutations take for the same error, over that of controlled ones.

        n permutations of both games and m of the cheap one alone leave a variance of 1 / (fewer n) + 1 / m and take
        n (1 + time) + m time; at the best m of the product, that is (sqrt((1 + time) / fewer) + sqrt(time))^2. A little low,
        because a measured `fewer` holds the error of the cheap game's values already.
        """
        return (((1 + self.time) / fewer) ** 0.5 + self.time**0.5) ** -2


@dataclass(frozen=True)
class Case:
    """A game, what it is controlled by, and the truth of some items: float64 [items, players, outputs]."""

    name: str
    game: Any
    controlled: Any
    wrong: Any
    items: np.ndarray
    truth: np.ndarray
    truth_variance: np.ndarray
    control_variance: np.ndarray
    truth_freedom: int
    control_freedom: float
    learning: Learning | None = None


def collect(
    game: Any, estimator: Any, samples: int, items: np.ndarray, seed: int, role: str = "certify"
) -> fastsa.Labels:
    return fastsa.LabelStream(
        game, estimator, samples=samples, items=items, role=role, seed=seed, n_threads=1
    ).collect()


def distilled(net: torch.nn.Module, X: torch.Tensor, y: torch.Tensor, *, epochs: int, seed: int) -> torch.nn.Module:
    """A network that answers as the model did; the loss is the mean squared error of outputs."""
    torch.manual_seed(seed)
    steps = epochs * (len(X) // 256)
    optimizer = torch.optim.Adam(net.parameters())
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 3e-3, total_steps=steps + 1)
    for _ in range(epochs):
        order = torch.randperm(len(X))
        for rows in order[: len(X) // 256 * 256].split(256):
            optimizer.zero_grad(set_to_none=True)
            ((net(X[rows]) - y[rows]) ** 2).sum(dim=1).mean().backward()
            optimizer.step()
            schedule.step()
    return net.eval()


class Steps(torch.nn.Module):
    """Columns of more than two values as how far each has come through each of its quantile bins: trees jump, lines do not."""

    def __init__(self, X: np.ndarray, bins: int = 48) -> None:
        super().__init__()
        self.columns, self.edges = [], []
        for column in range(X.shape[1]):
            values = np.unique(X[:, column])
            if values.size > 2:
                self.columns.append(column)
                above = X[X[:, column] > values[0], column]  # many columns are zero for most
                edges = np.unique(
                    np.concatenate([np.quantile(x, np.linspace(0, 1, bins + 1)) for x in (X[:, column], above)])
                )
                self.edges.append(torch.from_numpy(edges.astype(np.float32)))
        self.others = [column for column in range(X.shape[1]) if column not in self.columns]

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        parts = [x[:, self.others]]
        for column, edges in zip(self.columns, self.edges, strict=True):
            parts.append(((x[:, column : column + 1] - edges[:-1]) / (edges[1:] - edges[:-1])).clamp(0, 1))
        return torch.cat(parts, dim=1)


def controlled_case(
    name: str,
    game: Any,
    cheap: Any,
    items: np.ndarray,
    *,
    truth_estimator: Any,
    truth_samples: int,
    own_samples: int,
    note: str,
    seed: int,
    scale: Any = 1.0,
    learning: Learning | None = None,
) -> Case:
    """The cheap game's values come from samples of its own, which cost no evaluation of the model."""
    start = time.perf_counter()
    truth = collect(game, truth_estimator, truth_samples, items, seed, "truth")
    measured = time.perf_counter()
    own = collect(cheap, estimators.PermutationShapley(), own_samples, items, seed, "select")
    values, shape = np.zeros((game.ids.size, *own.mean.shape[1:])), own.mean.shape
    values[items] = own.mean
    wrong = values.copy()
    wrong[items, 0] += 0.5 * own.mean.std(axis=(0, 1))
    seconds = f"truth {measured - start:.0f} s, {own_samples} permutations of the cheap game {time.perf_counter() - measured:.0f} s"
    print(f"{name}: {shape[0]} inputs, {shape[1]} players, {shape[2]} outputs; {seconds}; {note}", flush=True)
    return Case(
        name,
        game,
        games.Controlled(game, cheap, values, scale=scale),
        games.Controlled(game, cheap, wrong, scale=scale),
        items,
        truth.mean,
        truth.stderr**2,
        (scale * own.stderr) ** 2,
        truth_samples - 1,
        own_samples - 1,
        learning,
    )


def adult_case(adult: data.Table, small: bool, seed: int) -> Case:
    n_items, rows, epochs = (8, 4096, 4) if small else (24, 60_000, 15)
    setup = adult_attribution.setup(adult, n_train=n_items, n_truth=1, truth_samples=1, epochs=1)
    order = np.random.default_rng(1).permutation(len(adult.y))
    background = adult.X[order[n_items + 1 : n_items + 101]]
    rng = np.random.default_rng((seed, 1))
    X = adult.X[rng.choice(order[n_items + 101 :], rows)]
    keep = rng.random((rows, adult.variable.max() + 1)) < rng.random((rows, 1))
    masked = np.where(keep[:, adult.variable], X, background[rng.integers(0, 100, rows)]).astype(np.float32)
    outputs = torch.from_numpy(setup.game.model(masked.astype(adult.X.dtype))).float()[:, None]
    steps = Steps(masked)
    inside = steps(torch.from_numpy(masked))
    linear, relu = torch.nn.Linear, torch.nn.ReLU
    torch.manual_seed(seed)
    layers = linear(inside.shape[1], 64), relu(), linear(64, 64), relu(), linear(64, 1), torch.nn.Sigmoid()
    net = distilled(torch.nn.Sequential(*layers), inside[rows // 10 :], outputs[rows // 10 :], epochs=epochs, seed=seed)
    note = f"{explained(net, inside[: rows // 10], outputs[: rows // 10])} of unseen masked rows after {rows:,} evaluations, once"
    explained_rows = adult.X[order[: n_items + 1]].astype(np.float32)
    masker = games.Groups(adult.variable, games.Marginal(background))
    cheap = games.ModelGame(torch.nn.Sequential(steps, net).eval(), explained_rows, masker)
    return controlled_case(
        "Adult, gradient boosting",
        setup.game,
        cheap,
        np.arange(n_items),
        truth_estimator=estimators.PermutationShapley(),
        truth_samples=100 if small else 3000,
        own_samples=100 if small else 3000,
        note=note,
        seed=seed,
    )


def vit_case(sets: dict[str, Any], small: bool, seed: int, kept: Path | None, blocks: tuple[int, ...]) -> Case:
    n_items, n_others, pairs, epochs = (3, 4, 512, 1) if small else (12, 16, 40_000, 2)
    images, classes = (torch.from_numpy(a) for a in sets["train"])
    _, surrogate = fashion_vit.models(images, classes, fashion_vit.SMALL if small else fashion_vit.HEADLINE, kept)
    net = shortened.stand_in(
        surrogate, images, 49, blocks=blocks, pairs=pairs, epochs=epochs, seed=seed, kept=None if small else kept
    )
    model = vit.Probabilities(surrogate).eval()
    shown = torch.from_numpy(sets["test"][0])[: n_items + n_others]
    masker = games.Patches((fashion_vit.HEADLINE.grid,) * 2)
    game, cheap = (games.ModelGame(each, shown, masker) for each in (model, net))
    others = np.arange(n_items, n_items + n_others)
    nothing = np.zeros((shown.shape[0], 49, 10))  # permutations' variances do not depend on the values of the control
    scale = fitted_scale(game, cheap, nothing, METHODS[PLAIN], samples=4, items=others, seed=seed)
    learning = Learning(2 * pairs + 4 * 50 * n_others, seconds_of(net, shown) / seconds_of(model, shown))
    note = f"scales {scale.min():.2f} to {scale.max():.2f}, fitted on {n_others} other images"
    return controlled_case(
        "Fashion ViT",
        game,
        cheap,
        np.arange(n_items),
        truth_estimator=estimators.PermutationShapley(antithetic=True),
        truth_samples=5 if small else 60,
        own_samples=20 if small else 400,
        note=note,
        seed=seed,
        scale=scale,
        learning=learning,
    )


def seconds_of(net: torch.nn.Module, shown: torch.Tensor, repeats: int = 40) -> float:
    """Processor seconds of an evaluation in batches of 50."""
    rows = shown[:1].expand(50, -1, -1, -1).contiguous()
    with torch.inference_mode():
        net(rows)
        start = time.process_time()
        for _ in range(repeats):
            net(rows)
    return (time.process_time() - start) / (50 * repeats)


def knn_case(adult: data.Table, small: bool, seed: int) -> Case:
    n, n_val = (40, 200) if small else (100, 500)
    rows = np.random.default_rng((seed, 2)).permutation(len(adult.y))[: n + n_val]
    X = adult.X[rows].astype(np.float64)
    X = (X - X.mean(axis=0)) / (X.std(axis=0) + 1e-9)
    parts = X[:n], adult.y[rows[:n]], X[n:], adult.y[rows[n:]]
    game = games.DataGame(utilities.Logistic(), *parts)
    cheap = games.DataGame(utilities.KNN(1, score="vote", empty=0.5), *parts)
    values = (fastsa.knn_shapley(*parts, k=1) - 0.5 / n)[:, None]
    wrong = values + 2 * values.std() * (np.arange(n) == 0)[:, None]
    start = time.perf_counter()
    truth = collect(game, estimators.PermutationShapley(), 1000, np.arange(n), seed, "truth")
    print(f"Data Shapley: {n} points, {n_val} to validate; truth {time.perf_counter() - start:.0f} s", flush=True)
    controls = (games.Controlled(game, cheap, each) for each in (values, wrong))
    measured = truth.mean, truth.stderr**2, np.zeros_like(values), 999, np.inf
    return Case("Data Shapley, logistic", game, *controls, np.arange(n), *measured)


def explained(net: torch.nn.Module, X: torch.Tensor, y: torch.Tensor) -> str:
    with torch.inference_mode():
        left = ((net(X) - y) ** 2).mean() / ((y - y.mean(dim=0)) ** 2).mean()
    return f"the cheap network explains {1 - left.item():.3f} of the variance"


def errors(case: Case, game: Any, estimator: Any, evaluations: int, seeds: int, seed: int) -> tuple[np.ndarray, float]:
    """Squared error of each item by seed, mean over outputs, less the truth's variance [seeds, items]; evaluations of an item."""
    per_sample = estimator.evaluations(game, case.items[:1] if case.game.item_players is None else case.items)
    samples = max(estimator.least_samples(game.n_players), int(evaluations / per_sample))
    squared, spent = np.zeros((seeds, case.items.size)), 0
    for k in range(seeds):
        labels = collect(game, estimator, samples, case.items, seed + 1 + k)
        excess = (labels.mean - case.truth) ** 2 - case.truth_variance
        squared[k] = excess.reshape(case.items.size, -1, excess.shape[-1]).sum(axis=1).mean(axis=1)
        spent = labels.evaluations
    return squared, spent / (case.items.size if case.game.item_players is None else 1)


def compared(case: Case, evaluations: int, seeds: int, seed: int, methods: dict[str, Any]) -> Table:
    """Intervals are of inputs and seeds drawn again, the same ones for both sides of a ratio."""
    found = {}
    for name, estimator in methods.items():
        found[name] = errors(case, case.game, estimator, evaluations, seeds, seed)
        found[f"{name}, controlled"] = errors(case, case.controlled, estimator, evaluations, seeds, seed)
    plain, base = found[PLAIN]
    rows = []
    rng = np.random.default_rng(seed)
    drawn, items = rng.integers(0, seeds, (1000, seeds)), rng.integers(0, case.items.size, (1000, case.items.size))

    def resampled(squared: np.ndarray) -> np.ndarray:
        return np.array([squared[np.ix_(*each)].mean() for each in zip(drawn, items, strict=True)])

    for name, (squared, spent) in found.items():
        ratio = resampled(plain) / resampled(squared) * base / spent
        interval = tuple(float(q) for q in np.quantile(ratio, [0.025, 0.975]))
        rows.append((name, spent, 1e3 * squared.mean(), float(plain.mean() / squared.mean() * base / spent), interval))
    columns = ("", "evaluations", "error x 1000", "fewer", "95 % interval")
    return Table(columns, tuple(rows), (), f"{case.name}: {seeds} seeds of {case.items.size} items")


def largest_z(case: Case, game: Any, samples: int, runs: int, seed: int) -> tuple[float, float]:
    """The largest |mean of runs - truth| in standard errors, and what 1 in 1,000 unbiased estimators exceeds.

    Variances are estimated from tens of samples, so that the ratio is Student's t (Welch's degrees of freedom); the z given is
    the normal one of the same probability. Of 5,880 ratios with 36 degrees the largest is above 6.5 once in 1,000, not 5.2.
    """
    labels = [collect(game, METHODS[PLAIN], samples, case.items, seed + 1000 + run) for run in range(runs)]
    mean = np.mean([each.mean for each in labels], axis=0)
    own = np.mean([each.stderr**2 for each in labels], axis=0) / runs
    parts = (
        (own, runs * (samples - 1)),
        (case.truth_variance, case.truth_freedom),
        (case.control_variance, case.control_freedom),
    )
    variance = np.maximum(sum(part for part, _ in parts), 1e-24)
    freedom = variance**2 / np.maximum(sum(part**2 / free for part, free in parts), 1e-60)
    z = stats.norm.isf(stats.t.sf(np.abs(mean - case.truth) / np.sqrt(variance), freedom))
    return float(z.max()), float(stats.norm.isf(FALSE_ALARM / (2 * z.size)))


def told(learning: Learning, table: Table) -> str:
    fewer, evaluations = (table[f"{PLAIN}, controlled", column] for column in ("fewer", "evaluations"))
    inputs = learning.broken_even(evaluations, fewer)
    saved = (
        f"saved again after {np.ceil(inputs):.0f} inputs of {evaluations:.0f}" if np.isfinite(inputs) else "never saved"
    )
    return (
        f"taught by {learning.evaluations:,} evaluations, {saved}; one of the cheap network takes {learning.time:.2f} of the "
        f"model's time, with which plain permutations take {learning.fewer_seconds(fewer):.2f} times the seconds of controlled ones"
    )


def draw(tables: dict[str, list[Table]], path: Path) -> None:
    figure, axes = new_figure(len(tables), (4.2 * len(tables), 3.6))
    shown = {
        PLAIN: (GREY, "-"),
        "antithetic permutations": (GREY, ":"),
        "KernelSHAP (biased)": (ORANGE, ":"),
        "AdjustedMSR": (ORANGE, "-"),
    }
    for axis, (name, made) in zip(axes, tables.items(), strict=True):
        lines = {**shown, f"{PLAIN}, controlled": (BLUE, "-"), "AdjustedMSR, controlled": (BLUE, ":")}
        for method, (color, style) in lines.items():
            if method in made[0].names:
                cost, error = ([t[method, c] for t in made] for c in ("evaluations", "error x 1000"))
                axis.loglog(cost, error, style, marker="o", ms=4, color=color, label=method)
        axis.set_title(name, loc="left")
        axis.set_xlabel("evaluations")
    axes[0].set_ylabel("squared error x 1000")
    axes[0].legend(frameon=False, fontsize=7, loc="upper right")
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=150)


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data-dir")
    parser.add_argument("--small", action="store_true", help="a form that takes seconds")
    parser.add_argument("--games", nargs="+", choices=("adult", "vit", "knn"), default=["adult", "vit", "knn"])
    parser.add_argument("--vit", type=Path, default=None, help="folder of the ViT; trained there if missing")
    parser.add_argument("--blocks", type=int, nargs="+", default=[0, 1, 3], help="of the ViT's that its control keeps")
    parser.add_argument("--seeds", type=int, default=5, help="of labels")
    parser.add_argument("--out", type=Path, default=None, help="folder for control_variates.png")
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args(arguments)
    folder = data.folder(given.data_dir)
    make: dict[str, Callable[[], Case]] = {
        "adult": lambda: adult_case(data.adult(folder), given.small, given.seed),
        "vit": lambda: vit_case(data.fashion_mnist(folder), given.small, given.seed, given.vit, tuple(given.blocks)),
        "knn": lambda: knn_case(data.adult(folder), given.small, given.seed),
    }
    budgets = {"adult": [140, 420], "vit": [500], "knn": [10 * 101, 30 * 101]}
    tables: dict[str, list[Table]] = {}
    for which in given.games:
        case = make[which]()
        methods = (
            dict(list(METHODS.items())[:2]) if which == "knn" else METHODS
        )  # the others need more samples than points
        seeds = 2 if given.small else given.seeds
        for evaluations in budgets[which][: 1 if given.small else None]:
            tables.setdefault(case.name, []).append(compared(case, evaluations, seeds, given.seed, methods))
            print(tables[case.name][-1], "\n", flush=True)
        for what, game in (("controlled permutations", case.controlled), ("the same with wrong values", case.wrong)):
            samples = 100 if which == "knn" else 20
            z, limit = largest_z(case, game, samples, 2 * seeds, given.seed)
            verdict = "contradicted" if z > limit else "no contradiction"
            print(
                f"{case.name}, {what}: largest z {z:.2f}, of unbiased labels above {limit:.2f} once in 1,000: {verdict}",
                flush=True,
            )
        if case.learning is not None:
            print(told(case.learning, tables[case.name][-1]))
        print()
    if given.out:
        draw(tables, given.out / "control_variates.png")


if __name__ == "__main__":
    main()
