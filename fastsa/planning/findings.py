"""The known ways in which amortization fails: the sign of each in what a fit shows, in a sentence, and what to do."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fastsa.labels import Labels
from fastsa.planning.fit import Shown, shown, simple, structure

_SURE = 3.3  # standard errors: one false alarm in 2,000 for a one-sided sign
_UNRELIABLE = 0.25  # share of the labels' variance that is truth
_FAILED = 0.5  # share of the signal that is left as error
_WORTH = 0.1  # share of the error below which a cause is not worth a sentence
_MOST_TAKEN = 0.25  # share of its own label's noise that a prediction may hold
_MOSTLY = 0.5
_OUTSIDE, _FAR = 0.05, 0.10
_MOST_ROWS = 2000
_WORSE = 1.25


@dataclass(frozen=True)
class Finding:
    """A failure that a fit shows: its name, a sentence that says so, what to do, and the numbers behind it."""

    name: str
    sentence: str
    advice: str
    numbers: Mapping[str, float]

    def __str__(self) -> str:
        return f"{self.name}: {self.sentence} {self.advice}"


def noisy(one: Shown) -> Iterator[Finding]:
    error, _ = one.mean(one.error)
    signal = max(one.signal, 0.0)
    reliable = signal / (signal + one.noise) if signal + one.noise > 0 else 1.0
    unseen = one.signal < 2 * one.signal_stderr
    if reliable < _UNRELIABLE and (unseen or error > _FAILED * signal):
        more = one.noise / max(signal, one.signal_stderr, 1e-300)
        missed = 100 * error / max(signal, 1e-300)
        yield Finding(
            "labels too noisy",
            f"{100 * (1 - reliable):.0f} % of the variance of the labels is noise, and predictions "
            + ("cannot be told from a constant." if unseen else f"still miss {missed:.0f} % of what items differ by."),
            f"Draw about {more:,.0f} times as many samples, label more items, or take an estimator of less variance.",
            {"reliable": reliable, "error": error, "signal": one.signal, "noise": one.noise},
        )


def biased(labels: Sequence[Labels], reference: Labels | None, unit: NDArray[np.int64]) -> Iterator[Finding]:
    """Labels whose estimator admits a bias, or that differ from unbiased reference labels by more than noise."""
    whole = labels[0] if len(labels) == 1 else labels[0].merge(labels[1])
    n = whole.ids.size
    if reference is None:
        if not whole.unbiased:
            yield Finding(
                "labels biased",
                f"{whole.why_biased}; how much is not known.",
                "Give reference labels of an unbiased estimator to tell, or train on those.",
                {},
            )
        return
    squared = ((whole.mean - reference.mean) ** 2 - whole.stderr**2 - reference.stderr**2).reshape(n, -1).mean(axis=1)
    centred = np.bincount(unit, weights=squared - squared.mean())
    bias, stderr = float(squared.mean()), float(np.sqrt(np.sum(centred**2))) / n
    if bias > _SURE * stderr:
        yield Finding(
            "labels biased",
            f"their mean squared bias is {bias:.3g} (standard error {stderr:.1g}), against reference labels of "
            f"{type(reference.estimator).__name__}; a network learns it, and no number of items removes it.",
            "Train on labels of an unbiased estimator, or with more samples per item.",
            {"bias": bias, "stderr": stderr},
        )


def fitted(
    one: Shown, predictions: Sequence[NDArray[np.float64]], labels: Sequence[Labels], held_out: Labels | None,
    features: NDArray[np.float64],
) -> Iterator[Finding]:  # fmt: skip
    """Networks too small or too large, noise learned by heart, and training sets that are not worth it."""
    error, error_stderr = one.mean(one.error)
    taken, spread = one.mean(one.taken)[0], one.mean(one.spread)[0]
    share_taken = taken / one.noise if one.noise > 0 else 0.0
    from_noise = min(spread / error, 1.0) if error > 0 else 0.0
    numbers = {"error": error, "noise": one.noise, "share_taken": share_taken, "from_noise": from_noise}
    told, told_stderr = one.mean(structure(one, features))
    small = told > _SURE * told_stderr and told > _WORTH * error
    if small:
        yield Finding(
            "network too small",
            f"a plain regression on the features tells {100 * told / error:.0f} % of the error that the network left.",
            "Take a larger network, train it longer or faster, or give it these features as they are.",
            numbers | {"told": told},
        )
    plain = simple(labels, features)
    less, less_stderr = one.mean(one.error - shown(plain, labels, held_out).error)
    noisy_error = from_noise > _MOSTLY
    if noisy_error and less > _SURE * less_stderr and less > _WORTH * error:
        yield Finding(
            "network too large",
            f"ridge regression on the features has {100 * less / error:.0f} % less error, and {100 * from_noise:.0f} % of the "
            "network's error comes from its labels' noise.",
            "Take a smaller network, more weight decay or fewer epochs.",
            numbers | {"less": less},
        )
    if noisy_error and share_taken > _MOST_TAKEN:
        yield Finding(
            "overfitting the noise",
            f"predictions hold {100 * share_taken:.0f} % of the noise of their own labels, which makes up "
            f"{100 * from_noise:.0f} % of their error.",
            "Stop earlier by labels kept apart (role select), regularise, or label more items with fewer samples each.",
            numbers,
        )
    if error - one.noise > _SURE * error_stderr and not small:
        yield Finding("training set too small", *_size(one, error, spread), numbers)


def _size(one: Shown, error: float, spread: float) -> tuple[str, str]:
    floor = max(0.0, error - spread)
    pays = (
        f"about {one.error.size * spread / (one.noise - floor):,.0f} items" if one.noise > floor else "many more items"
    )
    return (
        f"with {one.error.size:,} items the error of predictions, {error:.3g}, is above that of the labels themselves, "
        f"{one.noise:.3g}.",
        f"Use the labels, or the refined values, as they are; to gain from predictions label {pays}.",
    )


def shifted(features: NDArray[np.float64], new: NDArray[np.float64]) -> Iterator[Finding]:
    """New items that lie further from the nearest training item than training items from each other."""
    spread = features.std(axis=0)
    scale = np.where(spread > 0, spread, max(float(spread.max()), 1e-300))
    train, others = (_thinned(rows / scale) for rows in (features, new))
    beyond = np.quantile(_nearest(train, train, skip_self=True), 1 - _OUTSIDE)
    share = float(np.mean(_nearest(others, train) > beyond))
    chance = np.sqrt(_OUTSIDE * (1 - _OUTSIDE) * (1 / others.shape[0] + 1 / train.shape[0]))
    if share > _FAR and share > _OUTSIDE + _SURE * chance:
        yield Finding(
            "shift between training and new items",
            f"{100 * share:.0f} % of the new items lie further from all training items than {100 * (1 - _OUTSIDE):.0f} % of "
            "those from each other.",
            "Label some of the new items and train on them too; do not rely on the certified error there.",
            {"share": share},
        )


def worse(one: Shown, new_error: NDArray[np.float64], new_unit: NDArray[np.int64]) -> Iterator[Finding]:
    """New items whose certified error is above that of the training items."""
    (here, here_stderr), n = one.mean(one.error), new_error.size
    centred = np.bincount(new_unit, weights=new_error - new_error.mean())
    there, there_stderr = float(new_error.mean()), float(np.sqrt(np.sum(centred**2))) / n
    if there - here > _SURE * np.hypot(here_stderr, there_stderr) and there > _WORSE * here:
        yield Finding(
            "shift between training and new items",
            f"the certified error of predictions is {there:.3g} for the new items and {here:.3g} for those of training.",
            "Label some of the new items and train on them too; refine the others by labels of their own.",
            {"new": there, "training": here},
        )


def _thinned(rows: NDArray[np.float64]) -> NDArray[np.float64]:
    return rows[np.linspace(0, rows.shape[0] - 1, min(rows.shape[0], _MOST_ROWS)).astype(int)]


def _nearest(rows: NDArray[np.float64], among: NDArray[np.float64], skip_self: bool = False) -> NDArray[np.float64]:
    """Squared distances [rows] to the nearest of `among`."""
    distance = (rows**2).sum(axis=1)[:, None] - 2 * rows @ among.T + (among**2).sum(axis=1)
    if skip_self:
        np.fill_diagonal(distance, np.inf)
    return np.maximum(distance.min(axis=1), 0.0)
