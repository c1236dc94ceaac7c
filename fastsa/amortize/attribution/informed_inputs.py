"""What a game tells of every player nearly for free: gradient times input, occlusion, each alone, a surrogate's values."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from fastsa import _checks
from fastsa.amortize.attribution.additive_surrogate import AdditiveSurrogate
from fastsa.games import ModelGame
from fastsa.games.gradients import gradient_cost, gradient_times_input, offers_gradients
from fastsa.ops import Lanes, Walks

FIRST_ORDER = ("gradient", "occlusion", "alone")
SURROGATES = ("linear", "additive")
INFORMED = FIRST_ORDER + SURROGATES
_COALITIONS_AT_ONCE = 1 << 16
_OWN_LANE = 2**32 - 1  # background rows of a sample that no label takes


@dataclass(frozen=True)
class InformedInputs:
    """values float64 [items, players, outputs, kinds]; kinds, which; evaluations of the model that they are worth.

    surrogates : what was fitted for the kinds "linear" and "additive", to be given again for other inputs.
    """

    values: NDArray[np.float64]
    kinds: tuple[str, ...]
    evaluations: int
    surrogates: Mapping[str, AdditiveSurrogate] = field(default_factory=dict)


def informed_inputs(
    game: ModelGame,
    kinds: Sequence[str] | None = None,
    *,
    seed: int = 0,
    surrogates: Mapping[str, AdditiveSurrogate] | None = None,
) -> InformedInputs:
    """First-order answers of every input's game, for an `InformedHead` to learn from.

    "gradient"   df/dx (x - b) summed over a player's entries, the gradient taken half-way between the input x and what
                 replaces it, b; for torch modules. Worth 1 + 2 outputs evaluations per input (a backward pass is two).
    "occlusion"  v(N) - v(N without i): players + 1 evaluations
    "alone"      v({i}) - v(empty): players evaluations, one more where the game does not know v(empty)

    "linear"     exact Shapley values of a linear surrogate, w (x - mean b) summed over a player's entries (Lundberg and Lee,
                 NIPS 2017, corollary 1). The surrogate is a ridge regression on what the model says of these inputs (10,000
                 of them at most) and of the background's rows, one evaluation each, once; for any model of numbers that
                 are replaced.
    "additive"   the same of a surrogate that also has steps in every entry (see `AdditiveSurrogate`), at the same evaluations

    kinds : default all of the first three that the game offers. surrogates : of an earlier call, in place of fitting them to
    these inputs; they then cost nothing. A head that was fitted to some surrogate's values needs that one's again. Where samples draw background rows, each input takes one, of a lane that no
    label takes (of `seed`), so that the noise of these answers is not that of labels.

    Raises ValueError for unknown kinds, TypeError for "gradient" of a game that has none, and for a surrogate under Tokens or
    Nodes.

    >>> import fastsa, numpy as np
    >>> game = fastsa.games.ModelGame(lambda x: x[:, 0] * x[:, 1] + x[:, 2], np.ones((1, 3)), fastsa.games.Baseline())
    >>> found = fastsa.amortize.informed_inputs(game)
    >>> found.kinds, found.values[0, :, 0].tolist(), found.evaluations
    (('occlusion', 'alone'), [[1.0, 0.0], [1.0, 0.0], [1.0, 1.0]], 7)
    """
    if kinds is None:
        kinds = FIRST_ORDER if offers_gradients(game) else FIRST_ORDER[1:]
    kinds = tuple(_checks.choice("kinds", kind, INFORMED) for kind in kinds)
    if not kinds or len(set(kinds)) < len(kinds):
        raise ValueError(f"kinds are {kinds}; expected some of {INFORMED}, each once.")
    used, spent = _surrogates(game, kinds, surrogates)
    makers: dict[str, Callable[[], NDArray[np.float64]]] = {
        "gradient": lambda: gradient_times_input(game, 0.5),
        "occlusion": lambda: _first_order(game, True, seed),
        "alone": lambda: _first_order(game, False, seed),
        "linear": lambda: used["linear"].values(game),
        "additive": lambda: used["additive"].values(game),
    }
    values = np.stack([makers[kind]() for kind in kinds], axis=-1)
    occluded = (game.n_players + 1) * game.ids.size
    alone = (game.n_players + (not game.knows_empty)) * game.ids.size
    costs = {"gradient": gradient_cost(game), "occlusion": occluded, "alone": alone}
    return InformedInputs(values, kinds, spent + sum(costs.get(kind, 0) for kind in kinds), used)


def _surrogates(
    game: ModelGame, kinds: tuple[str, ...], given: Mapping[str, AdditiveSurrogate] | None
) -> tuple[dict[str, AdditiveSurrogate], int]:
    """Those of the kinds, and evaluations for fitting the ones that are not given, which share the model's answers."""
    wanted = [kind for kind in SURROGATES if kind in kinds]
    used = {kind: given[kind] for kind in wanted if given is not None and kind in given}
    new = [kind for kind in wanted if kind not in used]
    if not new:
        return used, 0
    made = AdditiveSurrogate.fit_several(game, [kind == "additive" for kind in new])
    return used | dict(zip(new, made, strict=True)), AdditiveSurrogate.cost(game)


def _first_order(game: ModelGame, present: bool, seed: int) -> NDArray[np.float64]:
    """v(N) - v(N without i) where the others are `present`, else v({i}) - v(empty): [items, players, outputs]."""
    n = game.n_players
    one = np.full((n + 1, n), present)
    one[np.arange(n), np.arange(n)] = not present
    found = np.empty((game.ids.size, n, game.n_outputs))
    block = max(1, _COALITIONS_AT_ONCE // (n + 1))
    for first in range(0, game.ids.size, block):
        items = np.arange(first, min(first + block, game.ids.size))
        rows = np.repeat(items, n + 1)
        samples = np.full(rows.size, _OWN_LANE, np.uint32) if game.draws_background else None
        lanes = Lanes(rows) if samples is None else Lanes(rows, samples, seed, "train")
        values = game.walk(Walks.of_coalitions(np.tile(one, (items.size, 1)), lanes)).reshape(items.size, n + 1, -1)
        changed, kept = values[:, :n], values[:, n:]
        found[items] = kept - changed if present else changed - kept
    return found
