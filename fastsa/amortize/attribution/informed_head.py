"""A small head on what a game tells nearly for free: Shapley values as a few weights times first-order answers."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastsa.amortize.attribution.ends import summing_to
from fastsa.amortize.attribution.labels import AttributionLabels
from fastsa.amortize.ridge import leave_one_out_ridge


class InformedHead:
    """Attributions as weights times informed inputs [items, players, outputs, kinds], learned by ridge on noisy labels.

    The columns are the inputs, (v(N) - v(empty)) / players where the ends are known, and the mean label of the player and
    output; there is one weight for each, the same for all players and outputs, so that a few hundred noisy labels fix
    them. The penalty is the best by leave-one-out error. Where the ends are known, values are moved to sum to
    v(N) - v(empty).

    After `fit`: `weights_` float64, of the kinds, the mean label, and the share of v(N) - v(empty) where ends are known;
    `intercept_`; `center_` [players, outputs], the mean label.

    >>> import fastsa, numpy as np
    >>> X = np.random.default_rng(0).normal(size=(100, 3))
    >>> game = fastsa.games.ModelGame(lambda x: x[:, 0] * x[:, 1] + x[:, 2], X, fastsa.games.Baseline())
    >>> labels = fastsa.LabelStream(game, fastsa.estimators.PermutationShapley(), samples=1).collect()
    >>> inputs = fastsa.amortize.informed_inputs(game, ["occlusion", "alone"]).values
    >>> head = fastsa.amortize.InformedHead().fit(inputs, labels)           # the truth is the mean of both
    >>> bool(np.abs(head.values(inputs) - fastsa.exact(game)).max() < 0.2)
    True
    """

    def fit(self, inputs: NDArray[np.float64], labels: Any, *, ends: NDArray[np.float64] | None = None) -> InformedHead:
        """Learn from fastsa.Labels of the same inputs, weighted by count; `ends` as AttributionNet.fit. Returns self."""
        known = AttributionLabels.of("labels", labels, inputs.shape[0])
        if inputs.ndim != 4 or inputs.shape[:3] != known.mean.shape:
            raise ValueError(f"inputs have shape {inputs.shape}; expected {known.mean.shape} and an axis of kinds.")
        ready = np.flatnonzero(known.ready)
        mean = known.mean[ready]
        count = np.broadcast_to(known.count[ready][..., None], mean.shape)
        self.efficient_ = ends is not None
        self.center_ = np.average(mean, axis=0, weights=count)
        columns = self._columns(inputs[ready], None if ends is None else ends[ready])
        flat = columns.reshape(-1, columns.shape[-1])
        size = np.sqrt(np.mean(flat**2, axis=0))
        size[size == 0] = 1.0
        # Columns of one size, because one penalty is for all.
        scaled, self.intercept_ = leave_one_out_ridge(
            lambda rows: flat[rows] / size, mean.ravel(), count.ravel().astype(np.float64)
        )
        self.weights_ = scaled / size
        return self

    def values(self, inputs: NDArray[np.float64], *, ends: NDArray[np.float64] | None = None) -> NDArray[np.float64]:
        """Attributions float64 [items, players, outputs]; `ends` [items, 2, outputs] where it was fitted with them."""
        if self.efficient_ != (ends is not None):
            raise ValueError(
                f"this head was fitted {'with' if self.efficient_ else 'without'} ends; give values the same."
            )
        values = self._columns(inputs, ends) @ self.weights_ + self.intercept_
        return values if ends is None else summing_to(ends[:, 1] - ends[:, 0], values, np.ones_like(values))

    def config(self) -> dict[str, Any]:
        """As plain data; `of_config` makes it again."""
        arrays = {name: getattr(self, name).tolist() for name in ("weights_", "center_")}
        return arrays | {"intercept_": self.intercept_, "efficient_": self.efficient_}

    @staticmethod
    def of_config(config: dict[str, Any]) -> InformedHead:
        head = InformedHead()
        for name in ("weights_", "center_"):
            setattr(head, name, np.array(config[name]))
        head.intercept_, head.efficient_ = config["intercept_"], config["efficient_"]
        return head

    def _columns(self, inputs: NDArray[np.float64], ends: NDArray[np.float64] | None) -> NDArray[np.float64]:
        columns = [inputs, np.broadcast_to(self.center_, inputs.shape[:3])[..., None]]
        if ends is not None:
            share = (ends[:, 1] - ends[:, 0])[:, None, :, None] / inputs.shape[1]
            columns.append(np.broadcast_to(share, (*inputs.shape[:3], 1)))
        return np.concatenate(columns, axis=-1)
