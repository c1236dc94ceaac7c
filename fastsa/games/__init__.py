"""Games: players, and what a coalition of them earns."""

from fastsa.games.classwise_game import ClasswiseGame, ClasswiseWalks
from fastsa.games.controlled import Controlled
from fastsa.games.data_game import DataGame
from fastsa.games.function_game import FunctionGame
from fastsa.games.game import DEFAULT_MAX_BYTES, Game, Roster
from fastsa.games.maskers import Baseline, Groups, Marginal, Nodes, Patches, Tokens
from fastsa.games.model_game import ModelGame

__all__ = [
    "DEFAULT_MAX_BYTES",
    "Baseline",
    "ClasswiseGame",
    "ClasswiseWalks",
    "Controlled",
    "DataGame",
    "FunctionGame",
    "Game",
    "Groups",
    "Marginal",
    "ModelGame",
    "Nodes",
    "Patches",
    "Roster",
    "Tokens",
]
