r"""Question (beyond the paper): where is the explainer ahead of newer estimators at equal evaluations, and of FastSHAP?

    python -m bench.paper.rivals [--data-dir DATA] [--out FOLDER] [--seeds 5] [--minutes 60] [--budgets 78 312]
        [--inputs 2500] [--shapiq VENV/bin/python] [--small]

Adult and its classifier as in `adult_attribution`: 13 variables, 100 rows behind absent ones. Two units of an evaluation:

    row    one row of the model: a sample takes one background row. What fastsa draws by default, and what a user pays
    mean   the mean over all 100, a hundred rows: the games that shap, shapiq and the literature's tables are about

Estimators get a budget of evaluations for each held-out input; networks are trained on as many for each training input, and
get none for the input they explain but v(N), which makes them sum to it. The truth is exact, by enumeration. --shapiq names a
Python with shapiq (see the first lines of bench/peers/rivals_shapiq.py); it is given the same games as tables, in the unit
`row` with a background row drawn for every coalition and v(empty) as it is.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import tempfile
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

import fastsa
from bench import data
from bench.paper import attributions, options, valuing
from bench.paper.adult_games import Adult, adult_games, game_of
from bench.paper.cells import Cells
from bench.paper.sgd_labels import as_shrunk_as_the_papers
from fastsa import amortize, estimators, games
from fastsa.amortize import AttributionNet
from fastsa.display import Table

UNITS = {"row": "one row of the model", "mean": "the mean over 100 rows"}
MEASURES = {"error": "error", "Pearson": "pearson", "Spearman": "spearman", "sign": "sign"}
PEER = Path(__file__).parents[1] / "peers" / "rivals_shapiq.py"
ANTITHETIC = estimators.PermutationShapley(antithetic=True)
COALITIONS = 32  # of an input and step of FastSHAP, as in the paper
Estimates = dict[str, np.ndarray]


@dataclass(frozen=True)
class Sides:
    """Inputs to train on and held-out ones as games of one unit; their truth."""

    X: np.ndarray
    train: games.ModelGame
    X_new: np.ndarray
    new: games.ModelGame
    truth: attributions.Truth
    operations: float

    @staticmethod
    def of(adult: Adult, unit: str) -> Sides:
        exact = fastsa.exact(adult.whole)
        truth = attributions.Truth(exact, np.zeros_like(exact))
        if unit == "row":
            both = adult.game(adult.X), adult.game(adult.X_new)
        else:
            both = game_of(adult.forest.tables(adult.X, adult.background)), adult.whole
        operations = adult.forest.operations * (1 if unit == "row" else len(adult.background))
        return Sides(adult.X, both[0], adult.X_new, both[1], truth, operations)

    @cached_property
    def ends(self) -> np.ndarray:
        return amortize.ends(self.train)

    @cached_property
    def ends_new(self) -> np.ndarray:
        return amortize.ends(self.new)


def samples_within(estimator: estimators.Estimator, game: games.ModelGame, budget: int) -> int:
    """As many as `budget` evaluations of an input allow, those of its ends included."""
    whole = int(getattr(estimator, "needs_ends", False))
    return int((budget - whole) // estimator.evaluations(game, np.zeros(1, np.int64)))


def labels_of(
    game: games.ModelGame, estimator: estimators.Estimator, budget: int, seed: int, role: str = "train"
) -> fastsa.Labels:
    samples = samples_within(estimator, game, budget)
    return fastsa.LabelStream(game, estimator, samples=samples, role=role, seed=seed).collect()


def determined(labels: fastsa.Labels) -> np.ndarray:
    """The labels; zeros for what the drawn coalitions leave open, so that an input costs its own size and no more."""
    return np.nan_to_num(labels.mean)


def sgd(game: games.ModelGame, budget: int, *, debiased: bool) -> estimators.SGDShapley:
    steps = samples_within(estimators.SGDShapley(), game, budget)
    return as_shrunk_as_the_papers(game.n_players, steps, debiased=debiased)


def direct(sides: Sides, budget: int) -> dict[str, estimators.Estimator]:
    return {
        "permutation": estimators.PermutationShapley(),
        "permutation, antithetic": ANTITHETIC,
        "KernelSHAP": estimators.KernelSHAP(paired=False),
        "KernelSHAP, paired": estimators.KernelSHAP(),
        "unbiased KernelSHAP, paired": estimators.UnbiasedKernelSHAP(),
        "LeverageSHAP": estimators.LeverageSHAP(),
        "regression-adjusted MSR": estimators.AdjustedMSR(),
        "SGD-Shapley": sgd(sides.new, budget, debiased=False),
        "SGD-Shapley, debiased": sgd(sides.new, budget, debiased=True),
    }


def new_net(seed: int, epochs: int, **settings: object) -> AttributionNet:
    return AttributionNet(
        "mlp", width=256, epochs=epochs, batch_size=128, efficiency=True, n_threads=1, seed=seed, **settings
    )


def estimates(sides: Sides, budget: int, seed: int, epochs: int) -> tuple[Estimates, dict[str, float]]:
    """Values of the held-out inputs by method, and what each spent: per held-out input, and per training input of networks."""
    found, spent = {}, {}
    for name, estimator in direct(sides, budget).items():
        labels = labels_of(sides.new, estimator, budget, seed, "certify")
        found[name], spent[name] = determined(labels), labels.evaluations / len(sides.X_new)
        if estimator == ANTITHETIC:
            own = labels
    train = labels_of(sides.train, ANTITHETIC, budget, seed)
    center, noise = train.mean.mean(axis=0), float((own.stderr**2).mean())
    found["permutation, antithetic, shrunk"] = attributions.shrunk(own.mean, center, noise)
    found["ridge on features"] = attributions.ridge(sides.X, train.mean, sides.X_new)
    found["constant"] = np.broadcast_to(center, own.mean.shape)
    nets = networks(sides, train, budget, seed, epochs)
    for name, (net, evaluations) in nets.items():
        found[name] = net.predict(sides.X_new, ends=sides.ends_new)
        spent[name] = evaluations
    found["amortized, refined"] = amortize.refine(found["amortized"], own).values
    return found, spent


def networks(
    sides: Sides, train: fastsa.Labels, budget: int, seed: int, epochs: int
) -> dict[str, tuple[AttributionNet, float]]:
    """The network on labels, and FastSHAP's objective: at as many evaluations, and at as many operations in all."""
    n = len(sides.X)
    amortized = new_net(seed, epochs).fit(sides.X, train, ends=sides.ends)
    nets = {"amortized": (amortized, train.evaluations / n + 1)}
    pass_ = 6.0 * sum(p.numel() for p in amortized.module_.parameters())  # forward and backward, of one input
    whole = sides.operations * budget + pass_ * epochs
    equal = round(whole / (pass_ + COALITIONS * sides.operations))
    few = max(2, 2 * round(budget / epochs / 2))
    for name, coalitions, passes in (
        ("FastSHAP, equal evaluations", few, round(budget / few)),
        ("FastSHAP, equal operations", COALITIONS, max(1, equal)),
    ):
        settings = {"objective": "coalitions", "coalitions": coalitions}
        net = new_net(seed, passes, **settings).fit(sides.X, sides.train, ends=sides.ends)
        nets[name] = (net, net.evaluations_ / n + 1)
    return nets


def scores(found: Estimates, truth: attributions.Truth) -> dict[str, dict[str, float]]:
    made = {name: attributions.score(estimate, truth, resamples=1) for name, estimate in found.items()}
    return {name: {measure: getattr(s, field) for measure, field in MEASURES.items()} for name, s in made.items()}


def peers(adult: Adult, unit: str, budget: int, seed: int, python: str) -> tuple[Estimates, dict[str, float]]:
    """shapiq's estimates of the held-out inputs, in a process of its own, and evaluations per input."""
    games_ = {"tables": adult.tables, **(adult.forest.cubes(adult.X_new, adult.background) if unit == "row" else {})}
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    environment |= dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
    with tempfile.TemporaryDirectory() as folder:
        given, out = Path(folder) / "games.npz", Path(folder) / "estimates.npz"
        np.savez(given, **games_)
        command = [python, "-W", "ignore", str(PEER), str(given), str(out), str(budget), str(seed)]
        run = subprocess.run(command, env=environment, capture_output=True, text=True)
        if run.returncode:
            raise SystemExit(f"{PEER.name} failed in {python}:\n{run.stderr}")
        with np.load(out) as made:
            names = [key.removesuffix("/estimates") for key in made.files if key.endswith("/estimates")]
            return (
                {f"shapiq {name}": made[f"{name}/estimates"][:, :, None] for name in names},
                {f"shapiq {name}": float(made[f"{name}/evaluations"]) for name in names},
            )


def table(cells: list[dict], title: str, notes: tuple[str, ...]) -> Table:
    """Means over seeds, with the interval of error and Pearson."""
    rows = []
    for method in cells[0]["scores"]:
        columns = {measure: [c["scores"][method][measure] for c in cells] for measure in MEASURES}
        spent = [c["spent"].get(method) for c in cells]
        rows.append(
            (
                method,
                *valuing.over_seeds(columns["error"]),
                *valuing.over_seeds(columns["Pearson"]),
                float(np.mean(columns["Spearman"])),
                float(np.mean(columns["sign"])),
                None if None in spent else round(float(np.mean(spent))),
            )
        )
    rows.sort(key=lambda row: -row[1])
    head = ("", "error", "95 % interval", "Pearson", "95 % interval ", "Spearman", "sign", "evaluations")
    return Table(head, tuple(rows), notes, title)


def parser_of(doc: str | None) -> argparse.ArgumentParser:
    parser = options.parser_of(doc, minutes=60.0)
    parser.add_argument("--inputs", type=int, default=2500, help="to train on")
    return parser


def main(arguments: list[str] | None = None) -> None:
    parser = parser_of(__doc__)
    parser.add_argument("--budgets", type=int, nargs="+", default=[78, 312])
    parser.add_argument("--units", nargs="+", choices=tuple(UNITS), default=list(UNITS))
    parser.add_argument("--shapiq", metavar="PYTHON")
    given = parser.parse_args(arguments)
    n_held_out, epochs = 100, 40
    if given.small:
        given.inputs, given.seeds, given.budgets, n_held_out, epochs = 150, 1, [78], 20, 5
    adult = adult_games(
        data.adult(data.folder(given.data_dir)), n_train=given.inputs, n_held_out=n_held_out, small=given.small
    )
    kept = Cells(given)
    for unit in given.units:
        sides = Sides.of(adult, unit)
        for budget in given.budgets:
            made = [cell(adult, sides, (unit, budget, seed), epochs, given, kept) for seed in range(given.seeds)]
            cells = [c for c in made if c is not None]
            if cells:
                print(table(cells, f"Adult, {budget} evaluations, each {UNITS[unit]}", notes(cells, given)), flush=True)
                print()


def cell(
    adult: Adult, sides: Sides, which: tuple[str, int, int], epochs: int, given: argparse.Namespace, kept: Cells
) -> dict | None:
    unit, budget, seed = which
    name = f"{unit}-{budget}-{given.inputs}-{seed}"

    def scored(made: tuple[Estimates, dict[str, float]]) -> dict:
        found, spent = made
        return {"unit": unit, "budget": budget, "seed": seed, "scores": scores(found, sides.truth), "spent": spent}

    ours = kept(f"rivals-fastsa-{name}", lambda: scored(estimates(sides, budget, seed, epochs)))
    if given.shapiq is None or ours is None:
        return ours
    theirs = kept(f"rivals-shapiq-{name}", lambda: scored(peers(adult, unit, budget, seed, given.shapiq)))
    if theirs is None:
        return None
    return {"scores": ours["scores"] | theirs["scores"], "spent": ours["spent"] | theirs["spent"]}


def notes(cells: list[dict], given: argparse.Namespace) -> tuple[str, ...]:
    seeds = (
        f"means over {len(cells)} seed{'s' if len(cells) > 1 else ''} of draws and networks, the same held-out inputs;"
    )
    return (
        f"{seeds} the mean attribution scores 1.",
        f"evaluations: per held-out input; of amortized and FastSHAP per each of {given.inputs:,} training inputs;",
        "what the model says of the 100 background rows alone is asked once, and not counted.",
    )


if __name__ == "__main__":
    main()
