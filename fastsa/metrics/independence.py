"""Which labels are independent of what has been seen, and of each other: by sample, or by item where draws are per item."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastsa.labels import Labels

_HELD_OUT = frozenset({"certify", "truth"})


def as_labels(name: str, labels: Any) -> list[Labels]:
    """One or several Labels as a list."""
    several = [labels] if isinstance(labels, Labels) else list(labels) if isinstance(labels, Iterable) else [labels]
    for one in several:
        if not isinstance(one, Labels):
            raise TypeError(f"{name} holds a {type(one).__name__}; expected fastsa.Labels.")
    return several


def refuse_biased(parts: Sequence[Labels]) -> None:
    """ValueError unless the labels are unbiased: what they get wrong together would pass for the truth."""
    for part in parts:
        why = part.why_biased or next(filter(None, map(part.why_biased_beside, parts)), "")
        if why:
            raise ValueError(
                f"{why}, and its bias would pass for truth; give labels of an unbiased estimator, and of a number "
                "of samples that their values did not decide."
            )


def shares_all_draws(labels: Labels) -> bool:
    """Whether every sample serves all items, which are players of one game: then no two items are independent."""
    return labels.estimator.shares_draws and labels.roster.one_game


def units(labels: Labels) -> NDArray[np.int64]:
    """The independent unit [items] of every item: those whose ids lie in one block share their draws."""
    return np.unique(labels.ids // np.uint64(labels.estimator.item_block), return_inverse=True)[1]


def share_samples(a: Labels, b: Labels) -> bool:
    """Whether some draw may be in both: the same seed, role and samples, of all items, or of an item of one block."""
    if not any(mine.overlaps(theirs) for mine in a.ranges for theirs in b.ranges):
        return False
    if shares_all_draws(a) or shares_all_draws(b):
        return True
    block = np.uint64(max(a.estimator.item_block, b.estimator.item_block))
    return bool(np.intersect1d(a.ids // block, b.ids // block).size)


def refuse_overlap(parts: Sequence[Labels]) -> None:
    """ValueError unless these are labels of the same items in the same order, of one game, from samples of their own."""
    first = parts[0]
    for number, part in enumerate(parts[1:], start=1):
        if part.fingerprint != first.fingerprint:
            raise ValueError("these are labels of different games; expected one game.")
        if not np.array_equal(part.ids, first.ids) or part.mean.shape != first.mean.shape:
            raise ValueError("the labels have different items or outputs; expected the same, in the same order.")
        for earlier in parts[:number]:
            if share_samples(part, earlier):
                raise ValueError(f"two labels hold the same samples, {part.ranges} and {earlier.ranges}; draw others.")


def refuse_seen(parts: Sequence[Labels], seen: Any, folds: Any) -> None:
    """ValueError unless the labels are independent of predictions that have seen `seen`.

    seen : the Labels that the predictions were trained or selected on, () for none at all. None: they are not known, so that
        only roles kept apart for it (certify, truth) are independent.
    folds : int [items]; the prediction of an item has seen labels of other folds only. Enough where draws are per item.
    """
    if folds is not None:
        for part in parts:
            _refuse_parted_draws(part, folds)
    elif seen is None:
        used = sorted(set().union(*(part.roles for part in parts)) - _HELD_OUT)
        if used:
            raise ValueError(
                f"the labels have the role {' and '.join(used)}, whose samples networks are trained or selected on; give "
                "labels of role 'certify', or say with seen= which Labels the predictions have seen."
            )
    else:
        for part in parts:
            for other in as_labels("seen", seen):
                if share_samples(part, other):
                    raise ValueError(
                        f"the predictions have seen the samples {other.ranges}, and these labels hold {part.ranges}; give "
                        "labels of other samples (cross-fit by sample)."
                    )


def _refuse_parted_draws(labels: Labels, folds: Any) -> None:
    folds = np.asarray(folds)
    if folds.shape != labels.ids.shape or folds.dtype.kind not in "iu":
        raise ValueError(
            f"folds have shape {folds.shape} and dtype {folds.dtype}; expected integers {labels.ids.shape}."
        )
    name = type(labels.estimator).__name__
    if shares_all_draws(labels):
        raise ValueError(
            f"{name} shares every sample among all items, so that folds of items do not part them; cross-fit by sample."
        )
    of_item = units(labels)
    lowest, highest = np.full(of_item.max() + 1, folds.max()), np.full(of_item.max() + 1, folds.min())
    np.minimum.at(lowest, of_item, folds)
    np.maximum.at(highest, of_item, folds)
    if (lowest != highest).any():
        block = labels.estimator.item_block
        raise ValueError(
            f"{name} shares draws among {block} neighbouring ids, and some lie in two folds; fold by id // {block}."
        )
