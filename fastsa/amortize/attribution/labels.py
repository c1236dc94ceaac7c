"""Labels of a model's inputs as a network trains on them: fixed, or refined or refreshed while training goes on."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastsa import _checks
from fastsa.amortize.sample_weights import checked_weights
from fastsa.labels import Labels, LabelStream

# What is trained on or chosen by cannot certify, and truth that is trained on is none.
_KEPT_BACK = ("certify", "truth")
_ROUNDING = 1e-9


class AttributionLabels:
    """mean float64 [items, players, outputs] and count float64 [items, players], both 0 where there is no label.

    That is where there is no sample, and where the samples do not determine a value, whose mean is NaN. What is known of
    the values beforehand, `start` float64 [items, players, outputs], is taken off the means. `weights`, of the count's
    shape, take the place of counts above 0.
    """

    def __init__(
        self,
        mean: NDArray[np.float64],
        count: NDArray[np.int64],
        start: NDArray[np.float64] | None = None,
        weights: NDArray[np.float64] | None = None,
    ) -> None:
        self.mean = np.zeros(mean.shape)
        self.count = np.zeros(count.shape)
        self._start = np.zeros(mean.shape) if start is None else start
        self._put(slice(None), mean, count if weights is None else np.where(count > 0, weights, 0.0))

    @staticmethod
    def of(
        name: str, labels: Any, n_items: int, start: Any = None, weights: Any = None, refresh: int | None = None
    ) -> AttributionLabels:
        """The labels of `n_items` inputs. Raises TypeError or ValueError for what cannot be trained on."""
        if isinstance(labels, LabelStream):
            if weights is not None:
                raise ValueError(
                    f"weights are given and {name} is a LabelStream, whose counts grow; give Labels, or no weights."
                )
            if refresh is not None:
                return RefreshedLabels(name, labels, n_items, refresh, start)
            return StreamedLabels(name, labels, n_items, start)
        if not isinstance(labels, Labels):
            raise TypeError(
                f"{name} is a {type(labels).__name__}; expected fastsa.Labels or a fastsa.LabelStream of a ModelGame."
            )
        if refresh is not None:
            raise ValueError(
                f"refresh is given and {name} are Labels, which are drawn; give a LabelStream to refresh from."
            )
        _check(name, labels.roster.one_game, labels.roles, labels.ids.size, n_items)
        begun, given = checked_start(name, start, labels.mean.shape), checked_weights(weights, labels.count.shape)
        found = AttributionLabels(labels.mean, labels.count, begun, given)
        _check_ready(name, found, n_items)
        return found

    @property
    def ready(self) -> NDArray[np.bool_]:
        """Which items have a label of every player."""
        return (self.count > 0).all(axis=1)

    def advance(self, share: float) -> bool:
        """Take this share of all samples into account; whether any came in."""
        return False

    def _put(self, items: Any, mean: NDArray[np.float64], count: NDArray[Any]) -> None:
        known = np.isfinite(mean).all(axis=-1)
        self.mean[items] = np.where(known[..., None], mean - self._start[items], 0.0)
        self.count[items] = np.where(known, count, 0)


class NotYetDrawn(AttributionLabels):
    """The labels of a stream of which none has been made."""

    def __init__(self, name: str, stream: LabelStream, n_items: int, start: Any = None) -> None:
        game = stream.game
        _check(name, game.item_players is not None, {stream.role}, game.ids.size, n_items)
        cells = game.ids.size, game.n_players
        nothing = np.full((*cells, game.n_outputs), np.nan)
        super().__init__(nothing, np.zeros(cells, np.int64), checked_start(name, start, nothing.shape))


class StreamedLabels(NotYetDrawn):
    """The labels that a stream has made so far; its batches replace earlier totals."""

    def __init__(self, name: str, stream: LabelStream, n_items: int, start: Any = None) -> None:
        super().__init__(name, stream, n_items, start)
        self._samples, self._total = 0, stream.total
        self._batches = iter(stream)

    def advance(self, share: float) -> bool:
        came = False
        while self._samples < share * self._total:
            batch = next(self._batches, None)
            if batch is None:
                break
            self._put(batch.items, batch.mean, batch.count)
            self._samples += batch.samples
            came = True
        return came


class RefreshedLabels(NotYetDrawn):
    """Labels of the latest `refresh` samples of a stream alone: independent new ones in place of the old."""

    def __init__(self, name: str, stream: LabelStream, n_items: int, refresh: Any, start: Any = None) -> None:
        super().__init__(name, stream, n_items, start)
        refresh, samples = _checks.count("refresh", refresh), stream.span.samples
        if samples % refresh:
            raise ValueError(
                f"refresh is {refresh} and {name} has {samples} samples of each input; expected a divisor of {samples}."
            )
        self.parts = [stream.part(first, refresh) for first in range(0, samples, refresh)]
        self._name, self._drawn, self._items = name, 0, stream.roster.ids.size

    def advance(self, share: float) -> bool:
        """Draw the labels that are due when this share of training is over; those before are gone."""
        due = min(len(self.parts), math.ceil(share * len(self.parts) - _ROUNDING))
        if due <= self._drawn:
            return False
        part, self._drawn = self.parts[due - 1], due
        labels = part.collect()
        self._put(part.items, labels.mean, labels.count)
        _check_ready(self._name, self, self._items)
        return True


def checked_start(name: str, start: Any, shape: tuple[int, ...]) -> NDArray[np.float64] | None:
    """What is known of the values beforehand, finite and of the labels' shape, or None."""
    if start is None:
        return None
    array = np.asarray(start, dtype=np.float64)
    if array.shape != shape:
        raise ValueError(f"start of {name} has shape {array.shape}; expected {shape}, values to begin with.")
    if not np.isfinite(array).all():
        raise ValueError(f"start of {name} holds a number that is not finite; expected values to begin with.")
    return array


def check_independent(train: Labels | LabelStream, select: Labels, same_inputs: bool) -> None:
    """Raise ValueError for select labels that share samples with those trained on, or are of other inputs."""
    if isinstance(train, LabelStream):
        fingerprint, ids, ranges = train.game.fingerprint, train.game.ids, (train.span,)
    else:
        fingerprint, ids, ranges = train.fingerprint, train.ids, train.ranges
    if same_inputs and (select.fingerprint != fingerprint or not np.array_equal(select.ids, ids)):
        raise ValueError("select has labels of other inputs than those trained on; give their inputs as X_select.")
    if np.intersect1d(ids, select.ids).size and select.fingerprint == fingerprint:
        for mine in select.ranges:
            for other in ranges:
                if mine.overlaps(other):
                    raise ValueError(f"select holds samples that are trained on ({mine}); draw it with role='select'.")


def _check_ready(name: str, labels: AttributionLabels, n_items: int) -> None:
    ready = int(labels.ready.sum())
    if ready < max(1, n_items / 2):
        raise ValueError(
            f"{name} determines every player for {ready} of {n_items} inputs; expected half. Draw more samples."
        )


def _check(name: str, one_game: bool, roles: Any, n_labels: int, n_items: int) -> None:
    if one_game:
        raise ValueError(
            f"{name} has labels of one game's points; expected those of a ModelGame, [items, players, outputs]."
        )
    for role in _KEPT_BACK:
        if role in roles:
            raise ValueError(f"{name} has labels of the role {role!r}; train on 'train' and choose by 'select'.")
    if n_labels != n_items:
        raise ValueError(
            f"{name} has labels of {n_labels} inputs and X has {n_items}; expected those of the same inputs."
        )
