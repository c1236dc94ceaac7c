r"""Claim: 95 % intervals of certificates and of refined values cover 95 %, over thousands of synthetic tasks.

    python -m bench.trust.coverage [--repetitions 10000] [--seeds 5] [--small] [--out FOLDER]

A repetition draws items, predictions and labels anew, and asks certify and refine. They are split over the seeds.

draws per item      normal or skewed noise, 2 to 5 samples: the interval is for the error over the population of items
blocks of 4 ids     share 90 % of their noise, as Distributional(shared=4) does; taken as independent beside it
shared permutations all items share every sample; 8 Labels of disjoint samples, the interval is for these very items
refined             share of true values within 1.96 stderr of refined values, of labels with Student's t on their own
                    variance, and of labels with the variance that `refine` pools

Bars: 94 to 96 % of at least 2,000 repetitions, for the error and for standard errors. That of refined values is not asked
where labels do not show that predictions are wrong: where doubt, the standard error of what they tell of that error, is
above the error / 1.96. Beside each share is its own 95 % interval: over repetitions for certificates, over the means of
seeds for standard errors.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy import stats

from bench.trust.known_errors import over_seeds
from fastsa import Labels, estimators
from fastsa.amortize import refine
from fastsa.amortize.correction.error_sizes import Cells, label_noise, prediction_groups
from fastsa.display import Table, new_figure
from fastsa.display.figures import BLUE, GREY, ORANGE
from fastsa.games import Roster
from fastsa.labels import SampleRange
from fastsa.metrics import certify
from fastsa.ops import Moments

SHAPES: dict[str, Callable[[np.random.Generator, tuple[int, ...]], np.ndarray]] = {
    "normal": lambda rng, shape: rng.normal(size=shape),
    "skewed": lambda rng, shape: rng.exponential(size=shape) - 1.0,
}
INTERVALS = ("label, own t", "label, pooled", "refined")


@dataclass(frozen=True)
class Setting:
    """tau: root mean squared error of predictions; sigma: standard deviation of a sample. The truth has variance 1."""

    items: int
    samples: int
    tau: float
    sigma: float
    shape: str = "normal"

    def __str__(self) -> str:
        sizes = f"error {self.tau**2:.2f}, noise {self.sigma**2:.2f}"
        return f"{self.items} items, {self.samples} samples, {sizes}, {self.shape}"

    @property
    def doubt(self) -> float:
        """The standard error of the error that the labels show, over it: of (label - prediction)^2 - stderr^2, normal noise."""
        error, noise = self.tau**2, self.sigma**2 / self.samples
        return ((2 / self.items) * ((error + noise) ** 2 + noise**2 / (self.samples - 1))) ** 0.5 / error


PER_ITEM = [
    Setting(300, 2, 0.5, 1.0),
    Setting(300, 5, 0.5, 2.0, "skewed"),
    Setting(1000, 3, 0.3, 1.0),
    Setting(1000, 5, 0.3, 2.0, "skewed"),
]
BLOCKS = [Setting(1200, 2, 0.3, 1.0), Setting(1200, 5, 0.5, 2.0, "skewed")]
SHARED = [Setting(60, 5, 0.5, 1.0), Setting(60, 5, 1.0, 0.5)]
REFINED = [
    # By these four the prior of sizes was chosen (error_sizes.ErrorSize.likely); the others test it.
    Setting(300, 2, 0.5, 1.0),
    Setting(1000, 2, 0.5, 2.0),
    Setting(1000, 3, 0.5, 1.0),
    Setting(1000, 5, 0.5, 2.0, "skewed"),
    Setting(2000, 2, 0.7, 1.0),
    Setting(500, 4, 0.4, 1.0, "skewed"),
    Setting(3000, 3, 0.3, 1.5),
    Setting(600, 3, 0.6, 1.2, "skewed"),
    Setting(1000, 3, 0.4, 2.0),
    Setting(1000, 2, 0.3, 2.0),
    Setting(300, 2, 0.3, 2.0),
]
N_BLOCKS = 8
ENOUGH = 2000  # repetitions
MOST_DOUBT = 1 / 1.96  # beyond it labels do not show that predictions are wrong at all
DEPENDENT, UNTOLD = ", taken as independent", ", size not told by labels"


def labels_of(samples: np.ndarray, estimator: estimators.Estimator, *, first: int = 0) -> Labels:
    """Labels of one output of one game from samples [k, items], as a stream would make them."""
    k, n = samples.shape
    mean = samples.mean(axis=0)
    moments = Moments(np.full(n, k), mean[:, None], ((samples - mean) ** 2).sum(axis=0)[:, None])
    roster = Roster(np.arange(n, dtype=np.uint64), n, 1, True)
    return Labels(moments, roster, estimator, (SampleRange(0, "certify", first, first + k),), 2 * k * n, "synthetic")


def per_item(setting: Setting, rng: np.random.Generator) -> tuple[bool, ...]:
    truth = rng.normal(size=setting.items)
    noise = SHAPES[setting.shape](rng, (setting.samples, setting.items))
    labels = labels_of(truth + setting.sigma * noise, estimators.Distributional())
    error = certify(truth + setting.tau * rng.normal(size=setting.items), labels).error
    return (error.low <= setting.tau**2 <= error.high,)


def blocks(setting: Setting, rng: np.random.Generator) -> tuple[bool, ...]:
    n, k, block = setting.items, setting.samples, 4
    truth, draw = rng.normal(size=n), SHAPES[setting.shape]
    common = np.repeat(draw(rng, (k, n // block)), block, axis=1)
    samples = truth + setting.sigma * (0.9**0.5 * common + 0.1**0.5 * draw(rng, (k, n)))
    predictions = truth + setting.tau * rng.normal(size=n)
    found = [certify(predictions, labels_of(samples, estimators.Distributional(shared=s))).error for s in (block, 1)]
    return tuple(error.low <= setting.tau**2 <= error.high for error in found)


def shared(setting: Setting, rng: np.random.Generator) -> tuple[bool, ...]:
    n, k = setting.items, setting.samples
    truth, directions = rng.normal(size=n), rng.normal(size=(n, 8)) / np.sqrt(8)
    predictions = truth + setting.tau * rng.normal(size=n)
    common = rng.normal(size=(N_BLOCKS, k, 8)) @ directions.T
    samples = truth + setting.sigma * (0.3**0.5 * common + 0.7**0.5 * rng.normal(size=(N_BLOCKS, k, n)))
    parts = [labels_of(s, estimators.PermutationShapley(), first=k * b) for b, s in enumerate(samples)]
    error = certify(predictions, *parts).error
    return (error.low <= np.mean((predictions - truth) ** 2) <= error.high,)


def refined(setting: Setting, rng: np.random.Generator) -> tuple[float, ...]:
    """Shares of the true values inside the intervals of INTERVALS."""
    n, k = setting.items, setting.samples
    truth = rng.normal(size=n)
    labels = labels_of(truth + setting.sigma * SHAPES[setting.shape](rng, (k, n)), estimators.Distributional())
    predictions = (truth + setting.tau * rng.normal(size=n))[:, None]
    made = refine(predictions, labels)
    pooled = np.sqrt(label_noise(labels, Cells.of(labels, prediction_groups(predictions, labels))))
    t = stats.t.ppf(0.975, k - 1)
    intervals = ((labels.mean, t * labels.stderr), (labels.mean, 1.96 * pooled), (made.values, 1.96 * made.stderr))
    return tuple(float((np.abs(values - truth[:, None]) <= half).mean()) for values, half in intervals)


def certificate_rows(repetitions: int, seeds: int) -> list[tuple]:
    rows: list[tuple] = []
    for kind, settings, one in (
        ("draws per item", PER_ITEM, per_item),
        ("blocks of 4", BLOCKS, blocks),
        ("shared permutations", SHARED, shared),
    ):
        for setting in settings:
            hits = np.concatenate(_by_seed(one, setting, repetitions, seeds))
            for i, column in enumerate(hits.T):
                name = f"{kind}{DEPENDENT if i else ''}: {setting}"
                ends = stats.binomtest(int(column.sum()), column.size).proportion_ci(method="wilson")
                rows.append((name, 100 * float(column.mean()), (100 * ends.low, 100 * ends.high), column.size))
    return rows


def refined_rows(repetitions: int, seeds: int) -> list[tuple]:
    rows = []
    for setting in REFINED:
        means = [100 * np.mean(part, axis=0) for part in _by_seed(refined, setting, repetitions, seeds)]
        for i, which in enumerate(INTERVALS):
            mean, interval = over_seeds([float(part[i]) for part in means])
            untold = UNTOLD if which == "refined" and setting.doubt > MOST_DOUBT else ""
            rows.append((f"{which}{untold}: {setting}", mean, interval, repetitions))
    return rows


def _by_seed(one: Callable, setting: Setting, repetitions: int, seeds: int) -> list[np.ndarray]:
    """Per seed, [repetitions, columns] of what `one` finds."""
    parts = np.array_split(np.arange(repetitions), seeds)
    rngs = [np.random.default_rng([seed, setting.items, setting.samples]) for seed in range(seeds)]
    return [np.array([one(setting, rng) for _ in part]) for part, rng in zip(parts, rngs, strict=True)]


def verdict(rows: list[tuple]) -> list[str]:
    bars = [row for row in rows if DEPENDENT not in row[0] and UNTOLD not in row[0]]
    off = [f"{name} ({share:.1f})" for name, share, *_ in bars if not 94 <= share <= 96]
    few = "" if min(row[3] for row in rows) >= ENOUGH else f" ({rows[0][3]} repetitions are too few to tell)"
    kept = f"94 to 96 %: kept by {len(bars) - len(off)} of {len(bars)}{few}"
    return [kept, *(f"FAILS: {name}" for name in off)]


def draw(rows: list[tuple], path: Path) -> None:
    figure, (axis,) = new_figure(1, (9.0, 0.3 * len(rows) + 1.2))
    axis.axvspan(94, 96, color=GREY, alpha=0.2, lw=0)
    for place, (_, share, interval, _) in enumerate(reversed(rows)):
        color = BLUE if 94 <= share <= 96 else ORANGE
        axis.plot(interval or (share, share), (place, place), color=color, lw=1.5)
        axis.plot(share, place, "o", ms=4, color=color)
    axis.set_yticks(range(len(rows)), [row[0] for row in reversed(rows)], fontsize=7)
    axis.set(xlabel="coverage of 95 % intervals, per cent", title="synthetic tasks")
    figure.savefig(path, dpi=150)


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repetitions", type=int, default=10_000)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--small", action="store_true", help="50 repetitions")
    parser.add_argument("--out", type=Path, default=None, help="folder for the figure")
    given = parser.parse_args(arguments)
    repetitions = 50 if given.small else given.repetitions
    head = ("", "coverage", "95 % interval", "repetitions")
    certificates, errors = certificate_rows(repetitions, given.seeds), refined_rows(repetitions, given.seeds)
    for title, rows in (("Certificates of the error", certificates), ("Standard errors of values", errors)):
        print(
            Table(head, tuple(rows), (), f"{title}, coverage of 95 % intervals, per cent"), *verdict(rows), "", sep="\n"
        )
    if given.out:
        given.out.mkdir(parents=True, exist_ok=True)
        draw(certificates + errors, given.out / "coverage.png")


if __name__ == "__main__":
    main()
