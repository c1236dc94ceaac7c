"""Gradient times input: what a differentiable model says of its players to first order, at one backward pass per output."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastsa.games.maskers import Replaced
from fastsa.games.model_game import ModelGame
from fastsa.games.models import TorchModel

_ROWS = 64


def offers_gradients(game: ModelGame) -> bool:
    """Whether the model is a torch module of real inputs whose absent entries are replaced: no Tokens, no Nodes."""
    if not isinstance(game.model, TorchModel) or not isinstance(game.bound, Replaced):
        return False
    return bool(game.bound.inputs.is_floating_point())


def gradient_times_input(game: ModelGame, share: float = 1.0) -> NDArray[np.float64]:
    """Gradients of the outputs times the inputs' distance from what replaces them: float64 [items, players, outputs].

    phi_i = sum over the entries e of player i of  df/dx_e (x_e - b_e),  b the background's mean, the gradient taken at
    b + share (x - b). For a linear model these are the Shapley values. One forward pass and one backward pass per output.

    Raises TypeError for a game that `offers_gradients` denies, ValueError for gradients that are not finite.

    >>> import fastsa, torch, numpy as np
    >>> game = fastsa.games.ModelGame(torch.nn.Linear(3, 2).eval(), torch.eye(3), fastsa.games.Baseline())
    >>> bool(np.allclose(gradient_times_input(game), fastsa.exact(game), atol=1e-6))
    True
    """
    if not offers_gradients(game):
        raise TypeError(
            "gradients are of torch modules on real inputs under Baseline, Marginal, Groups or Patches; this game has none."
        )
    import torch

    inputs, behind = game.bound.inputs, game.bound.outside.mean(dim=0, keepdim=True)
    entries = int(np.prod(inputs.shape[1:]))
    players = np.broadcast_to(game.bound.players, tuple(inputs.shape[1:])).reshape(-1)
    player = torch.from_numpy(players.copy()).to(inputs.device)
    found = np.empty((game.ids.size, game.n_players, game.n_outputs))
    for first in range(0, game.ids.size, _ROWS):
        distance = inputs[first : first + _ROWS] - behind
        with torch.enable_grad():
            at = (behind + share * distance).requires_grad_(True)
            outputs = _columns(game.model.module(at))
            for k in range(game.n_outputs):
                (gradient,) = torch.autograd.grad(outputs[:, k].sum(), at, retain_graph=k + 1 < game.n_outputs)
                own = (gradient * distance).detach().reshape(-1, entries).double()
                summed = torch.zeros(own.shape[0], game.n_players, dtype=own.dtype, device=own.device)
                found[first : first + _ROWS, :, k] = summed.index_add_(1, player, own).cpu().numpy()
    if not np.isfinite(found).all():
        raise ValueError("the model has gradients that are not finite; leave the gradients out.")
    return found


def gradient_cost(game: ModelGame) -> int:
    """Evaluations that `gradient_times_input` is worth: a forward pass is one, a backward pass two."""
    return game.ids.size * (1 + 2 * game.n_outputs)


def _columns(outputs: Any) -> Any:
    return outputs[:, None] if outputs.ndim == 1 else outputs
