"""From what a network gives to attributions: units, bounds, efficiency, and direction times norm."""

from __future__ import annotations

from dataclasses import dataclass

import torch

SCALES = ("global", "unit")
_LEAST_NORM = 1e-12
_MOST_LOG = 20.0


@dataclass(frozen=True)
class Readout:
    """Attributions / `unit`, from raw outputs [rows, players (+ 1), outputs] or the same flattened.

    scale "global": center + raw, `center` [players, outputs] being the mean of the labels where there is one.
    scale "unit": raw / |raw| x exp(log norm), norms over players, the log norm being read off one more player.
    bounded : tanh of unit x raw, so that attributions lie in (-1, 1).
    efficient : adds (total - sum over players) / players, totals being v(N) - v(empty).
    """

    n_players: int
    n_outputs: int
    scale: str
    bounded: bool
    efficient: bool
    unit: float
    center: torch.Tensor

    @property
    def slots(self) -> int:
        return self.n_players + (self.scale == "unit")

    def shaped(self, raw: torch.Tensor) -> torch.Tensor:
        """[rows, slots, outputs]. Raises ValueError for outputs of another shape."""
        rows = raw.shape[0]
        if raw.ndim in (2, 3) and raw[0].numel() == self.slots * self.n_outputs:
            return raw.reshape(rows, self.slots, self.n_outputs)
        one_more = ", one player more for the log norm" if self.scale == "unit" else ""
        raise ValueError(
            f"net gives {tuple(raw.shape)} for {rows} rows; expected [rows, {self.slots}, {self.n_outputs}]{one_more}, "
            f"or [rows, {self.slots * self.n_outputs}]."
        )

    def attributions(self, raw: torch.Tensor, totals: torch.Tensor | None) -> torch.Tensor:
        """[rows, players, outputs] in units of `unit`; `totals` [rows, outputs] in the same units."""
        raw = self.shaped(raw)
        if self.scale == "unit":
            direction, log_norm = self.parts(raw)
            return direction * log_norm.exp()[:, None]
        values = torch.tanh(self.unit * raw) / self.unit if self.bounded else raw + self.center.to(raw)
        if self.efficient:
            values = values + ((totals - values.sum(dim=1)) / self.n_players)[:, None]
        return values

    def parts(self, raw: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """(directions [rows, players, outputs], log norms [rows, outputs])."""
        direction, log_norm = raw[:, :-1], raw[:, -1]
        return direction / norms(direction), log_norm.clamp(-_MOST_LOG, _MOST_LOG)


def norms(values: torch.Tensor) -> torch.Tensor:
    """Euclidean norms over players [rows, 1, outputs], never 0."""
    return torch.linalg.vector_norm(values, dim=1, keepdim=True).clamp(min=_LEAST_NORM)
