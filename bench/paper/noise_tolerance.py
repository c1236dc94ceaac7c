r"""Question: how much noise, and how much bias, of its labels does a network tolerate, by its architecture?

    python -m bench.paper.noise_tolerance [--data-dir DATA] [--tasks "CIFAR-10, KNN" "Adult, logistic"] [--seeds 5]
        [--minutes 60] [--out FOLDER] [--small]

Labels of 800 points are nearly exact (300 samples) before normal noise of N times the variance of the true values is
added, or bias of B times it: along a fixed linear function of the features, or by truncation, contributions to
coalitions of more than a given size being 0 as where Monte Carlo stops early. The error is that on 400 points without
labels, whose truth is known; a constant scores 1. Means over seeds of noise, batches and weights; the label points are
the same.

The law that errors are held against: E = a + (1 - a) h / (1 + h), h = p N / (n (1 - a)), with a and p fitted to one
architecture's errors at all N; for small N it is a + p N / n. With bias, E + B. "half lost": the N at which an error
is halfway from a to the constant's. "constant": the N from which on the measured error is no longer below 1.
"""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
from scipy import optimize

import fastsa
from bench.paper import cheap_games, valuing
from fastsa.display import Table, new_figure
from fastsa.display.figures import BLUE, GREY, ORANGE, RED
from fastsa.planning import ItemLabels

NETWORKS = {
    "informed": ("informed", (128, 128)),
    "recipe": ("recipe", (128, 128)),
    "recipe, width 8": ("recipe", (8, 8)),
    "recipe, width 256": ("recipe", (256, 256)),
}
BIASED = ("informed", "recipe")
NOISES, FEWER = (0.0, 3.0, 10.0, 30.0, 100.0, 1000.0), (3.0, 30.0)
AT, LINEAR, CUTS = 3.0, (0.1, 1.0), (55, 25)


@dataclasses.dataclass(frozen=True)
class Exact:
    """Nearly exact labels of `labelled` points and the variance of their noise, by the largest coalition counted."""

    setting: cheap_games.CheapGame
    truth: fastsa.Labels
    labelled: np.ndarray
    mean: dict[int | None, np.ndarray]
    noise: dict[int | None, float]

    @staticmethod
    def of(setting: cheap_games.CheapGame, truth: fastsa.Labels, points: int, samples: int, cuts: tuple) -> Exact:
        pool = setting.data.y.size - setting.truth_items.size
        labelled = np.sort(cheap_games.blocks_in_order(pool, 0)[:points])
        whole = setting.truth_estimator
        mean, noise = {}, {}
        for cut in (None, *cuts):
            estimator = whole if cut is None else dataclasses.replace(whole, max_size=cut)
            made = fastsa.LabelStream(setting.game, estimator, samples=samples, items=labelled, n_threads=1).collect()
            kept = (estimator.max_size + 1 - whole.min_size) / (whole.max_size + 1 - whole.min_size)
            mean[cut] = kept * made.mean[:, 0]
            noise[cut] = kept**2 * float(np.mean(made.stderr**2))
        return Exact(setting, truth, labelled, mean, noise)

    @property
    def signal(self) -> float:
        return float(self.truth.mean.var() - np.mean(self.truth.stderr**2))

    def direction(self) -> np.ndarray:
        """A linear function of the features with mean 0 and variance 1 over the labelled points."""
        X = self.setting.data.X[self.labelled]
        along = (X - X.mean(axis=0)) @ np.random.default_rng(9).normal(size=X.shape[1])
        return along / along.std()

    def bias(self, cut: int) -> float:
        """B of a truncation, over the variance of the true values; the noise of both labels subtracted."""
        apart = float(np.mean((self.mean[cut] - self.mean[None]) ** 2))
        return (apart - self.noise[cut] - self.noise[None]) / self.signal

    def error(
        self, network: str, seed: int, *, N: float, linear: float = 0.0, cut: int | None = None, part: int = 1
    ) -> float:
        """Of a network trained on an n-th `part` of the points, their labels made noisy and biased."""
        d, rng = self.setting.data, np.random.default_rng([seed, 13])
        labels = self.mean[cut] + np.sqrt(N * self.signal) * rng.normal(size=self.labelled.size)
        labels = labels + np.sqrt(linear * self.signal) * self.direction()
        mean, count = np.zeros((d.y.size, 1)), np.zeros(d.y.size, np.int64)
        few = self.labelled.size // part
        mean[self.labelled[:few], 0], count[self.labelled[:few]] = labels[:few], 1
        given = ItemLabels(mean, np.full(mean.shape, np.nan), count, None, self.labelled[:few])
        learner, hidden = NETWORKS[network]
        net = cheap_games.network(self.setting, given, seed, learner, hidden=hidden)
        return cheap_games.scores(cheap_games.values(self.setting, net)[self.setting.truth_items], self.truth)["error"]


def cell(exact: Exact, network: str, seed: int, noises: tuple, cuts: tuple) -> dict:
    found: dict = {"network": network, "seed": seed, "labels": exact.noise[None] / exact.signal}
    found["noise"] = {f"{N:g}": exact.error(network, seed, N=N) for N in noises}
    if network in BIASED:
        found["linear"] = {f"{B:g}": exact.error(network, seed, N=AT, linear=B) for B in LINEAR}
        found["truncated"] = {f"{cut}": exact.error(network, seed, N=AT, cut=cut) for cut in cuts}
        found["a quarter"] = {f"{N:g}": exact.error(network, seed, N=N, part=4) for N in FEWER}
    return found


def law(N: np.ndarray, a: float, p: float) -> np.ndarray:
    h = p * N / (1 - a)
    return a + (1 - a) * h / (1 + h)


def fitted(cells: list[dict]) -> tuple[float, float]:
    """a, and p / n, by least squares of the logarithms of errors that are means over seeds."""
    N = np.array([float(N) for N in cells[0]["noise"]]) + cells[0]["labels"]
    error = np.mean([list(c["noise"].values()) for c in cells], axis=0)
    found = optimize.least_squares(
        lambda ap: np.log(law(N, *ap)) - np.log(np.maximum(error, 1e-6)), (0.3, 0.01), bounds=([0, 0], [0.999, 100])
    )
    return float(found.x[0]), float(found.x[1])


def constant_from(cells: list[dict]) -> list[float]:
    """Of every seed the N, between those measured on a logarithmic scale, from which on errors are 1 or more."""
    found = []
    for c in cells:
        N, error = np.array([float(N) for N in c["noise"]]), np.array(list(c["noise"].values()))
        beats = np.flatnonzero(error < 1)
        last = int(beats[-1]) if beats.size else 0
        if last + 1 < N.size and beats.size and N[last] > 0:
            share = (1 - error[last]) / (error[last + 1] - error[last])
            found.append(float(np.exp(np.log(N[last]) + share * np.log(N[last + 1] / N[last]))))
        else:
            found.append(float("inf") if beats.size else 0.0)
    return found


def tables(task: str, cells: list[dict], exact: Exact) -> list[Table]:
    of = {network: [c for c in cells if c["network"] == network] for network in NETWORKS}
    of = {network: own for network, own in of.items() if own}
    n = exact.labelled.size
    columns = {f"N = {N}": ("noise", N) for N in cells[0]["noise"]}
    first = cheap_games.table(
        f"{task}: error of networks on points without labels, by the noise of {n} labels", columns, of
    )
    rows = []
    for network, own in of.items():
        a, p = fitted(own)
        N = np.array([float(N) for N in own[0]["noise"]]) + own[0]["labels"]
        ratio = np.mean([list(c["noise"].values()) for c in own], axis=0) / law(N, a, p)
        ends = constant_from(own)
        never = sum(end == np.inf for end in ends)
        until = f"{np.median(ends):,.0f}" if never <= len(ends) // 2 else f"beyond {N[-1]:,.0f}"
        rows.append((network, a, p * n, f"{(1 - a) / p:,.1f}", until, (float(ratio.min()), float(ratio.max()))))
    head = ("", "a", "p", "half lost at N", "constant from N", "measured over law")
    notes = (
        f"the labels' own noise, N = {cells[0]['labels']:.2f}, is added in the law; 'constant from': median of seeds.",
    )
    second = Table(head, tuple(rows), notes, f"{task}: the law of noise")
    return [first, second, biases(task, of, exact)]


def biases(task: str, of: dict[str, list[dict]], exact: Exact) -> Table:
    """Errors under bias, and with a quarter of the points, beside what the law of noise makes of them."""
    plain = {network: np.mean([c["noise"][f"{AT:g}"] for c in of[network]]) for network in BIASED}
    kinds = [("linear", B, float(B), f"linear bias, B = {B}") for B in of[BIASED[0]][0]["linear"]]
    for cut in of[BIASED[0]][0]["truncated"]:
        B = exact.bias(int(cut))
        kinds.append(("truncated", cut, B, f"truncated at {cut} points, B = {B:.2f}"))
    kinds += [
        ("a quarter", N, None, f"no bias, N = {N}, a quarter of the points") for N in of[BIASED[0]][0]["a quarter"]
    ]
    rows = [(f"no bias, N = {AT:g}", *sum(((plain[one], None, None) for one in BIASED), ()))]
    for kind, key, B, name in kinds:
        cells: list = []
        for network in BIASED:
            error = valuing.over_seeds([c[kind][key] for c in of[network]])
            a, p = fitted(of[network])
            noisy = float(law(np.array(4 * (float(key) + of[network][0]["labels"])), a, p)) if B is None else None
            cells += [*error, noisy if B is None else plain[network] + B]
        rows.append((name, *cells))
    head = ("", "informed", "95 % interval", "law", "recipe", "95 % interval ", "law ")
    note = f"bias: N = {AT:g}, the law adds B to the error without bias; a quarter of the points: as of 4 N."
    return Table(head, tuple(rows), (note,), f"{task}: bias, and fewer points")


def draw(results: dict[str, list[dict]], path: Path) -> None:
    figure, axes = new_figure(len(results), (4.2 * len(results), 3.4))
    for axis, (task, cells) in zip(axes, results.items(), strict=True):
        for network, color in zip(NETWORKS, (BLUE, ORANGE, GREY, RED), strict=True):
            own = [c for c in cells if c["network"] == network]
            if not own:
                continue
            N = np.array([float(N) for N in own[0]["noise"]]) + own[0]["labels"]
            error = np.array([list(c["noise"].values()) for c in own])
            half = [e[1] - m if e else 0.0 for m, e in map(valuing.over_seeds, error.T)]
            axis.errorbar(N, error.mean(axis=0), half, fmt="o", ms=4, lw=1.2, color=color, label=network)
            along = np.geomspace(N[0], N[-1], 100)
            axis.plot(along, law(along, *fitted(own)), "-", lw=1, color=color)
        axis.axhline(1.0, lw=0.7, color=GREY)
        axis.set_xscale("log")
        axis.set_ylim(0, 1.6)
        axis.set_title(task, loc="left")
        axis.set_xlabel("noise of a label, N (the true values' variance: 1)")
    axes[0].set_ylabel("error on other points (a constant: 1)")
    axes[0].legend(frameon=False, fontsize=8)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=150)


def main(arguments: list[str] | None = None) -> None:
    given = cheap_games.parse(__doc__, arguments)
    points, samples, noises, cuts = (200, 10, NOISES[1:4:2], CUTS[:1]) if given.small else (800, 300, NOISES, CUTS)
    networks = BIASED if given.small else tuple(NETWORKS)
    results = {}
    for task, setting in cheap_games.settings(given).items():
        exact = Exact.of(setting, cheap_games.truth_of(setting, given), points, samples, cuts)
        jobs = [
            cheap_games.job(
                f"noise-{setting.name}-{seed}-{cheap_games.slug(one)}", cell, exact, one, seed, noises, cuts
            )
            for seed in range(given.seeds)
            for one in networks
        ]
        cells = cheap_games.recorded(jobs, given)
        if not {c["network"] for c in cells} >= set(BIASED):
            continue
        results[task] = cells
        for table in tables(task, cells, exact):
            print(table, end="\n\n", flush=True)
    if results and given.out is not None:
        draw(results, given.out / "noise_tolerance.png")


if __name__ == "__main__":
    main()
