"""Adult's games in full: the value of every coalition of every input, so that any estimator may ask for any of them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numba
import numpy as np
from sklearn.ensemble import HistGradientBoostingClassifier

from bench import data
from fastsa import games

BACKGROUND = 100


@dataclass(frozen=True)
class Forest:
    """The trees of a binary classifier one after the other, children counted over all; players of columns."""

    column: np.ndarray
    threshold: np.ndarray
    left: np.ndarray
    right: np.ndarray
    is_leaf: np.ndarray
    value: np.ndarray
    roots: np.ndarray
    start: float
    player: np.ndarray
    operations: float
    """Comparisons and additions that one row takes, at the mean depth of the rows it was fitted to."""

    @staticmethod
    def of(model: HistGradientBoostingClassifier, player: np.ndarray) -> Forest:
        """Reads scikit-learn's own fields, which are not public: `check` compares with what the classifier says."""
        trees = [stage[0].nodes for stage in model._predictors]
        roots = np.concatenate([[0], np.cumsum([len(t) for t in trees])[:-1]]).astype(np.int64)
        nodes = np.concatenate(trees)
        if nodes["is_categorical"].any():
            raise ValueError("the trees split by categories; expected numbers alone.")
        offset = np.repeat(roots, [len(t) for t in trees])
        ends = nodes[nodes["is_leaf"] > 0]
        depth = (ends["depth"] * ends["count"].astype(float)).sum() / nodes["count"][roots[0]]
        return Forest(
            nodes["feature_idx"].astype(np.int64),
            nodes["num_threshold"].copy(),
            nodes["left"].astype(np.int64) + offset,
            nodes["right"].astype(np.int64) + offset,
            nodes["is_leaf"] > 0,
            nodes["value"].copy(),
            roots,
            float(model._baseline_prediction.item()),
            player.astype(np.int64),
            float(depth + len(trees)),
        )

    def probability(self, rows: np.ndarray) -> np.ndarray:
        """What the classifier says of rows [rows, columns], some twenty times faster."""
        said = np.empty(len(rows))
        _predict(said, np.asarray(rows, np.float32), self.start, *self._fields)
        return said

    def tables(self, X: np.ndarray, background: np.ndarray) -> np.ndarray:
        """float32 [inputs, 2 ** players]: bit j of a coalition is player j; the mean probability over the background."""
        found = np.empty((len(X), 2 ** (int(self.player.max()) + 1)), np.float32)
        _tables(found, *self._games(X, background))
        return found

    def cubes(self, X: np.ndarray, background: np.ndarray) -> dict[str, np.ndarray]:
        """For every input and background row `differ` [inputs, rows], the bits of players that differ, and from `offset` on in
        `values` what the coalitions of those are worth, in the order of their bits.
        """
        differ = np.empty((len(X), len(background)), np.int64)
        games = self._games(X, background)
        _differ(differ, *games[:3])
        sizes = 1 << np.array([int(bits).bit_count() for bits in differ.ravel()])
        offset = (np.cumsum(sizes) - sizes).reshape(differ.shape)
        values = np.empty(int(sizes.sum()), np.float32)
        _cubes(values, differ, offset, *games)
        return {"differ": differ, "offset": offset, "values": values}

    def _games(self, X: np.ndarray, background: np.ndarray) -> tuple:
        return X.astype(np.float32), background.astype(np.float32), self.player, self.start, *self._fields

    @property
    def _fields(self) -> tuple:
        return self.column, self.threshold, self.left, self.right, self.is_leaf, self.value, self.roots


@numba.njit
def _predict(said, rows, start, column, threshold, left, right, is_leaf, value, roots):  # noqa: ANN001, ANN202
    for i in range(rows.shape[0]):
        total = start
        for root in roots:
            node = root
            while not is_leaf[node]:
                node = left[node] if rows[i, column[node]] <= threshold[node] else right[node]
            total += value[node]
        said[i] = 1.0 / (1.0 + np.exp(-total))


@numba.njit
def _differ(differ, X, background, player):  # noqa: ANN001, ANN202
    for i in range(X.shape[0]):
        for j in range(background.shape[0]):
            differ[i, j] = 0
            for f in range(player.size):
                if X[i, f] != background[j, f]:
                    differ[i, j] |= 1 << player[f]


@numba.njit
def _cube(cube, differ, x, b, player, start, column, threshold, left, right, is_leaf, value, roots):  # noqa: ANN001, ANN202
    """The probabilities of x where players are present and b where not, for all coalitions of those that `differ`."""
    nodes, inside, outside = np.empty(256, np.int64), np.empty(256, np.int64), np.empty(256, np.int64)
    sub = differ
    while True:
        cube[sub] = start
        if sub == 0:
            break
        sub = (sub - 1) & differ
    for root in roots:
        top, nodes[0], inside[0], outside[0] = 1, root, 0, 0
        while top > 0:
            top -= 1
            node, present, absent = nodes[top], inside[top], outside[top]
            while not is_leaf[node]:
                f = column[node]
                of_x = left[node] if x[f] <= threshold[node] else right[node]
                of_b = left[node] if b[f] <= threshold[node] else right[node]
                bit = 1 << player[f]
                if of_x == of_b or present & bit:
                    node = of_x
                elif absent & bit:
                    node = of_b
                else:
                    nodes[top], inside[top], outside[top] = of_b, present, absent | bit
                    top += 1
                    node, present = of_x, present | bit
            free = differ & ~present & ~absent
            sub = free
            while True:
                cube[present | sub] += value[node]
                if sub == 0:
                    break
                sub = (sub - 1) & free
    sub = differ
    while True:
        cube[sub] = 1.0 / (1.0 + np.exp(-cube[sub]))
        if sub == 0:
            break
        sub = (sub - 1) & differ


@numba.njit
def _tables(found, X, background, player, start, column, threshold, left, right, is_leaf, value, roots):  # noqa: ANN001, ANN202
    rows, masks = background.shape[0], found.shape[1]
    cube, total, differ = np.empty(masks), np.empty(masks), np.empty((1, rows), np.int64)
    for i in range(X.shape[0]):
        total[:] = 0.0
        _differ(differ, X[i : i + 1], background, player)
        for j in range(rows):
            bits = differ[0, j]
            _cube(cube, bits, X[i], background[j], player, start, column, threshold, left, right, is_leaf, value, roots)
            for mask in range(masks):
                total[mask] += cube[mask & bits]
        for mask in range(masks):
            found[i, mask] = total[mask] / rows


@numba.njit
def _cubes(values, differ, offset, X, background, player, start, column, threshold, left, right, is_leaf, value, roots):  # noqa: ANN001, ANN202
    cube = np.empty(1 << (player.max() + 1))
    for i in range(X.shape[0]):
        for j in range(background.shape[0]):
            bits, place = differ[i, j], offset[i, j]
            _cube(cube, bits, X[i], background[j], player, start, column, threshold, left, right, is_leaf, value, roots)
            for mask in range(bits + 1):
                if mask & ~bits == 0:
                    values[place] = cube[mask]
                    place += 1


def game_of(tables: np.ndarray) -> games.ModelGame:
    """Inputs whose masked forms say which of them they are, and a model that looks their values up."""
    n_players = int(tables.shape[1]).bit_length() - 1
    bits = (2.0 ** np.arange(n_players)).astype(np.float32)

    def value(rows: np.ndarray) -> np.ndarray:
        which = np.maximum(rows.max(axis=1).astype(np.int64) - 1, 0)  # the empty coalition is worth the same everywhere
        return tables[which, ((rows > 0) @ bits).astype(np.int64)].astype(np.float64)

    names = np.repeat(np.arange(1, len(tables) + 1, dtype=np.float32)[:, None], n_players, axis=1)
    return games.ModelGame(value, names, games.Baseline())


@dataclass(frozen=True)
class Adult:
    """The classifier's trees, inputs to train on and held-out ones [items, columns], and what stands behind them."""

    forest: Forest
    X: np.ndarray
    X_new: np.ndarray
    background: np.ndarray

    @cached_property
    def tables(self) -> np.ndarray:
        """Of the held-out inputs: float32 [items, 2 ** 13]."""
        return self.forest.tables(self.X_new, self.background)

    @cached_property
    def whole(self) -> games.ModelGame:
        """The held-out inputs, every coalition the mean over the whole background."""
        return game_of(self.tables)

    def game(self, X: np.ndarray) -> games.ModelGame:
        """Inputs as `adult_attribution` masks them: an evaluation is one row of the model."""
        masker = games.Groups(self.forest.player, games.Marginal(self.background))
        return games.ModelGame(self.forest.probability, X, masker)


def adult_games(adult: data.Table, *, n_train: int, n_held_out: int, small: bool = False) -> Adult:
    """The classifier of `adult_attribution` (in the `small` form a smaller one), and 100 rows behind absent players."""
    fitted = np.random.default_rng(0).permutation(len(adult.y))[: 2000 if small else 30_000]
    model = HistGradientBoostingClassifier(max_iter=10 if small else 100, random_state=0)
    model.fit(adult.X[fitted], adult.y[fitted])
    order = np.random.default_rng(1).permutation(len(adult.y))
    background, held_out, train = np.split(
        order[: BACKGROUND + n_held_out + n_train], [BACKGROUND, BACKGROUND + n_held_out]
    )
    found = Adult(Forest.of(model, adult.variable), adult.X[train], adult.X[held_out], adult.X[background])
    check(model, found)
    return found


def check(model: HistGradientBoostingClassifier, adult: Adult) -> None:
    """SystemExit where the classifier itself says otherwise of a few rows and coalitions."""
    rows, x = adult.background[:20], adult.X_new[0]
    off = np.abs(model.predict_proba(rows)[:, 1] - adult.forest.probability(rows)).max()
    for mask in np.random.default_rng(0).integers(0, 2**13, 3):
        masked = np.where((mask >> adult.forest.player) & 1 == 1, x, adult.background)
        off = max(off, abs(model.predict_proba(masked)[:, 1].mean() - adult.tables[0, mask]))
    if off > 1e-6:
        raise SystemExit(
            f"the trees as read here are off by {off} from what the classifier says; scikit-learn has changed."
        )
