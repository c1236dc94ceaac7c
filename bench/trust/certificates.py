r"""Claim: an error certified from labels is the error known from truth, on five real tasks; refined values are as good
as two independent sources can make them; standard errors hold at 2 to 5 samples.

    python -m bench.trust.certificates [--data-dir DATA] [--seeds 5] [--tasks NAME ...] [--small] [--out FOLDER]

Per task the game is fixed and the truth measured once; seeds give other labels and other networks. A network is trained
on labels of role train, certified by labels of role certify, and its error known from labels of role truth, of the same
items, whose variance is subtracted. The certificate sees no truth.

certificates  the difference of both errors lies inside its 95 % interval, jackknifed over the items (blocks of them,
              where they share draws): it holds the noise of the certificate and that of the truth. Bars: inside, on
              five tasks; half-width at most 10 % of the error.
refined       e_refined (1 / e_prediction + 1 / e_label) at most 1.05; e_refined / the smaller of both at most 1.02.
coverage      of 95 % intervals over the true values, 92 to 97 %: the label with its own standard error and Student's t,
              or 1.96; with the variance pooled over groups, as `refine` pools it; the refined value with its own. Doubt is
              the standard error of the prediction's error that the labels tell, over that error: above 1 / 1.96 they do
              not show that it is wrong, and the refined value's interval is wide on purpose.

Errors are over the variance of the truth (a constant has 1). Means over seeds with 95 % t intervals.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path
from typing import Any

import numpy as np
from scipy import stats

import fastsa
from bench.trust import known_errors, tasks
from bench.trust.coverage import MOST_DOUBT
from fastsa.amortize import refine
from fastsa.amortize.correction.error_sizes import Cells, label_noise, prediction_groups
from fastsa.display import Table, new_figure
from fastsa.display.figures import BLUE, GREY, ORANGE

FEW = (2, 3, 5)
INTERVALS = ("own, 1.96", "own, t", "pooled", "refined")


def measured(task: tasks.Task, truth: fastsa.Labels, seed: int) -> dict[str, Any]:
    """All numbers of one seed, as JSON can hold them."""
    predictions = task.fit(task.labels("train", task.sizes.train, seed), seed).reshape(truth.mean.shape)
    several = nested(task, seed)
    labels = several[-1]
    return {
        "task": task.name,
        "kind": task.kind,
        "seed": seed,
        **certified(predictions, labels, truth),
        "budgets": [budget(predictions, labels, truth) for labels in several],
    }


def nested(task: tasks.Task, seed: int) -> list[fastsa.Labels]:
    """Certify labels of 2, 3, 5 samples and of all, each the beginning of the next."""
    wanted = [k for k in FEW if k < task.sizes.certify] + [task.sizes.certify]
    made = [task.labels("certify", wanted[0], seed)]
    for before, k in zip(wanted, wanted[1:], strict=False):
        made.append(made[-1].extend(task.game, k - before))
    return made


def certified(predictions: np.ndarray, labels: fastsa.Labels, truth: fastsa.Labels) -> dict[str, Any]:
    certificate = fastsa.metrics.certify(predictions, labels)
    of_labels, of_truth = (known_errors.per_item(predictions, some) for some in (labels, truth))
    assert np.isclose(of_labels.mean(), certificate.error.value)
    known = known_errors.of_means(lambda e: e, of_truth, labels=truth)
    difference = known_errors.of_means(lambda c, k: c - k, of_labels, of_truth, labels=truth)
    unit = known_errors.signal(truth)
    return {
        "certified": [x / unit for x in certificate.error],
        "known": [x / unit for x in known],
        "difference": [x / unit for x in difference],
        "inside": bool(difference.low <= 0 <= difference.high),
        "half_width": known_errors.half_width(difference) / known.value,
        "own_half_width": known_errors.half_width(certificate.error) / certificate.error.value,
    }


def budget(predictions: np.ndarray, labels: fastsa.Labels, truth: fastsa.Labels) -> dict[str, Any]:
    """What the labels of one budget, the predictions and both together get wrong; and which intervals cover."""
    refined = refine(predictions, labels)
    errors = [known_errors.per_item(values, truth) for values in (predictions, labels.mean, refined.values)]
    unit = known_errors.signal(truth)
    shown = [known_errors.of_means(lambda e: e / unit, error, labels=truth) for error in errors]
    to_bound = known_errors.of_means(lambda p, own, r: r * (1 / p + 1 / own), *errors, labels=truth)
    to_better = known_errors.of_means(lambda p, own, r: r / np.minimum(p, own), *errors, labels=truth)
    told = known_errors.of_means(lambda e: e, known_errors.per_item(predictions, labels), labels=labels)
    samples = int(labels.count.max())
    groups = prediction_groups(predictions, labels)
    pooled = np.sqrt(label_noise(labels, Cells.of(labels, groups)))
    halves = {
        "own, 1.96": (labels.mean, 1.96 * labels.stderr),
        "own, t": (labels.mean, stats.t.ppf(0.975, samples - 1) * labels.stderr),
        "pooled": (labels.mean, 1.96 * pooled),
        "refined": (refined.values, 1.96 * refined.stderr),
    }
    return {
        "samples": samples,
        **{name: list(bound) for name, bound in zip(("e_prediction", "e_label", "e_refined"), shown, strict=True)},
        "to_bound": list(to_bound),
        "to_better": list(to_better),
        "doubt": known_errors.half_width(told) / 1.96 / float(errors[0].mean()),
        "covered": {name: known_errors.share_covered(*halves[name], truth) for name in INTERVALS},
    }


def certificates_table(found: dict[str, list[dict]]) -> Table:
    rows = []
    for name, seeds in found.items():
        error, known = (known_errors.over_seeds([s[which][0] for s in seeds]) for which in ("certified", "known"))
        width = [s["half_width"] for s in seeds]
        difference = known_errors.over_seeds([s["difference"][0] / s["known"][0] for s in seeds])
        inside = f"{sum(s['inside'] for s in seeds)} of {len(seeds)}"
        own = float(np.mean([s["own_half_width"] for s in seeds]))
        rows.append(
            (name, seeds[0]["kind"], *error, *known, *difference, inside, float(np.mean(width)), max(width), own)
        )
    head = (
        "",
        "kind",
        "certified",
        "95 % interval",
        "known",
        "95 % interval ",
        "difference / known",
        "95 % interval  ",
    )
    notes = (
        "inside: seeds whose difference lies in its joint interval; then the mean and the largest half-width of that",
        "over the known error; alone: the half-width of the certificate for the population of items, over its error.",
    )
    return Table((*head, "inside", "half-width", "largest", "alone"), tuple(rows), notes, "Certified and known errors")


def budgets_of(found: dict[str, list[dict]]) -> list[tuple[str, list[dict]]]:
    """(task and samples, that budget of every seed)."""
    return [
        (f"{name}, {entry['samples']} samples", [s["budgets"][i] for s in seeds])
        for name, seeds in found.items()
        for i, entry in enumerate(seeds[0]["budgets"])
    ]


def refined_table(found: dict[str, list[dict]]) -> Table:
    rows = []
    for name, seeds in budgets_of(found):
        cells: list[Any] = [name]
        for which in ("e_prediction", "e_label", "e_refined", "to_bound"):
            cells += known_errors.over_seeds([s[which][0] for s in seeds])
        better = [s["to_better"][0] for s in seeds]
        rows.append((*cells, float(np.mean(better)), max(better)))
    head = ["", "prediction", "95 % interval", "label", "95 % interval ", "refined", "95 % interval  "]
    head += ["to the bound", "95 % interval   ", "to the better", "largest"]
    return Table(tuple(head), tuple(rows), (), "Errors of values refined by labels")


def coverage_table(found: dict[str, list[dict]]) -> Table:
    rows = []
    for name, seeds in budgets_of(found):
        cells: list[Any] = [name, _doubt(seeds)]
        for which in INTERVALS:
            cells += known_errors.over_seeds([100 * s["covered"][which] for s in seeds])
        rows.append(tuple(cells))
    head = ["", "doubt"]
    for i, which in enumerate(INTERVALS):
        head += [which, "95 % interval" + " " * i]
    notes = ("doubt: the standard error of the prediction's error that these labels tell, over that error.",)
    return Table(tuple(head), tuple(rows), notes, "Coverage of 95 % intervals over the true values, per cent")


def verdicts(found: dict[str, list[dict]]) -> list[str]:
    """A line per bar: kept, or where not."""
    seeds = [s for some in found.values() for s in some]
    inside = sum(s["inside"] for s in seeds)
    wide = [name for name, some in found.items() if np.mean([s["half_width"] for s in some]) > 0.10]
    said = [f"difference inside the joint 95 % interval: {inside} of {len(seeds)} task-seeds"]
    said.append(_verdict("half-width at most 10 % of the error", wide, len(found)))
    several = budgets_of(found)
    bound = [f"{n} ({_mean(b, 'to_bound'):.3f})" for n, b in several if _mean(b, "to_bound") > 1.05]
    better = [
        f"{n} ({max(s['to_better'][0] for s in b):.3f})" for n, b in several if max(s["to_better"][0] for s in b) > 1.02
    ]
    said.append(_verdict("refined within 1.05 of the bound", bound, len(several)))
    said.append(_verdict("refined never 2 % worse than the better parent, any seed", better, len(several)))
    told = [(name, some) for name, some in several if _doubt(some) <= MOST_DOUBT]
    for which, where, some in (
        *((which, "", several) for which in INTERVALS),
        ("refined", f" where doubt is at most {MOST_DOUBT:.2f}", told),
    ):
        shares = {name: 100 * float(np.mean([s["covered"][which] for s in seeds])) for name, seeds in some}
        off = [f"{name} ({share:.1f})" for name, share in shares.items() if not 92 <= share <= 97]
        said.append(_verdict(f"{which}: coverage 92 to 97 %{where}", off, len(some)))
    return said


def _doubt(seeds: list[dict]) -> float:
    return float(np.mean([s["doubt"] for s in seeds]))


def _mean(seeds: list[dict], which: str) -> float:
    return float(np.mean([s[which][0] for s in seeds]))


def _verdict(bar: str, failing: list[str], of: int) -> str:
    return (
        f"{bar}: KEPT on {of} of {of}"
        if not failing
        else f"{bar}: FAILS on {len(failing)} of {of}: {'; '.join(failing)}"
    )


def draw(found: dict[str, list[dict]], path: Path) -> None:
    """Left, certified against known errors with their intervals; right, refined errors over the bound."""
    figure, (left, right) = new_figure(2, (9.5, 4.2))
    colors = (BLUE, ORANGE, GREY, "#3f8f6b", "#7a5aa6")
    for color, (name, seeds) in zip(colors, found.items(), strict=False):
        x, y = (np.array([s[which][0] for s in seeds]) for which in ("known", "certified"))
        half = np.array([(s["difference"][2] - s["difference"][1]) / 2 for s in seeds])
        left.errorbar(x, y, yerr=half, fmt="o", ms=4, lw=1.2, color=color, label=name)
        budgets = [b for s in seeds for b in s["budgets"]]
        right.plot(
            [b["e_label"][0] / b["e_prediction"][0] for b in budgets],
            [b["to_bound"][0] for b in budgets],
            "o",
            ms=4,
            color=color,
        )
    ends = [f(v) for f, v in ((min, left.get_xlim()), (max, left.get_xlim()))]
    left.plot(ends, ends, "--", color=GREY, lw=1, zorder=0)
    left.set(
        xlabel="error known from truth", ylabel="error certified without it", title="certificates, joint 95 % intervals"
    )
    right.axhline(1.05, ls="--", color=GREY, lw=1, zorder=0)
    right.set(
        xscale="log",
        xlabel="error of the label / of the prediction",
        ylabel="refined error / bound",
        title="refined values",
    )
    figure.legend(*left.get_legend_handles_labels(), frameon=False, fontsize=8, loc="outside lower center", ncols=3)
    figure.savefig(path, dpi=150)


def run(given: argparse.Namespace) -> dict[str, list[dict]]:
    sizes = tasks.SMALL if given.small else tasks.SIZES
    found: dict[str, list[dict]] = {}
    for name in given.tasks:
        start = time.perf_counter()
        task = tasks.task(name, sizes[name], given.data_dir)
        truth = task.labels("truth", task.sizes.truth, 0)
        found[name] = [measured(task, truth, seed) for seed in range(given.seeds)]
        print(f"{name}: {task.sizes}, {time.perf_counter() - start:.0f} s", flush=True)
        if given.out:
            given.out.mkdir(parents=True, exist_ok=True)
            (given.out / "certificates.json").write_text(json.dumps(found, indent=1))
    return found


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data-dir")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--tasks", nargs="+", choices=list(tasks.SIZES), default=list(tasks.SIZES))
    parser.add_argument("--small", action="store_true", help="a form that takes seconds")
    parser.add_argument("--out", type=Path, default=None, help="folder for the JSON record and the figure")
    given = parser.parse_args(arguments)
    found = run(given)
    print(
        "",
        certificates_table(found),
        refined_table(found),
        coverage_table(found),
        "\n".join(verdicts(found)),
        sep="\n\n",
    )
    if given.out:
        draw(found, given.out / "certificates.png")


if __name__ == "__main__":
    main()
