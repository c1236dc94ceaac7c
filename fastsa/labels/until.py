"""A stream run in blocks until a rule has enough: the looks come at numbers of samples that nothing else decides."""

from __future__ import annotations

from collections.abc import Callable
from copy import copy
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from fastsa import _checks
from fastsa.estimators import Part
from fastsa.labels.labels import Labels, Stop
from fastsa.labels.stop import Look, StopRule, as_rule

if TYPE_CHECKING:
    from fastsa.labels.stream import LabelStream

_FIRST_LOOK = 8  # samples: below, standard errors of few samples are small by chance too often
_ITEMS_COUNTED = 4096


def collect_until(
    stream: LabelStream, rule: StopRule, every: int | None, progress: Callable[[int], Any] | None
) -> Labels:
    """Labels of the first samples of a stream, as many as the rule wants and at most all: see LabelStream.collect."""
    roster, span = stream.roster, stream.span
    as_rule(rule).check(stream.game.fingerprint, roster.ids, stream.estimator, span)
    least = max(1, min(stream.estimator.least_samples(roster.n_players), span.samples))
    block = max(_FIRST_LOOK if every is None else _checks.count("every", every), least)
    per_sample = _evaluations(stream, opening=False)
    labels, spent = None, _evaluations(stream, opening=True) - per_sample
    if rule.room(spent, per_sample) < least:
        raise ValueError(
            f"{rule} does not hold the first {least} sample{'s' if least > 1 else ''}, which take "
            f"{spent + least * per_sample} evaluations; expected at least as many."
        )
    done, means, met = 0, (), False
    while done < span.samples and not met:
        samples = int(min(block, span.samples - done, rule.room(spent, per_sample)))
        labels = _next_block(stream, done, samples, labels).collect(progress)
        done, spent = done + samples, labels.evaluations
        means = (*means, labels.mean)[-1 - rule.remembers :]
        met = rule.met(Look(labels, means, per_sample))
        block = done if every is None else every
    assert labels is not None
    return replace(labels, stops=(Stop(repr(rule), rule.seen(labels.ranges[0]), met, done),))


def _next_block(stream: LabelStream, done: int, samples: int, after: Labels | None) -> LabelStream:
    block = copy(stream)
    block._first = stream._first + done
    block._stop = block._first + samples
    block._after = after
    return block


def _evaluations(stream: LabelStream, *, opening: bool) -> int:
    """Evaluations of the first sample of every item, counted in its draws."""
    estimator, game, span = stream.estimator, stream.game, replace(stream.span, stop=stream.span.first + 1)
    whole = game.item_players is not None and (estimator.shares_draws or estimator.pooled)
    blocks = [np.sort(stream._items)] if whole else stream.item_blocks(_ITEMS_COUNTED)
    return sum(estimator.draw(game, Part(items, span, opening), n_threads=1).evaluations for items in blocks)
