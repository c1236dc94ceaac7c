"""Games: players, and what a coalition of them earns."""

from fastsa.games.data_game import DataGame
from fastsa.games.function_game import FunctionGame
from fastsa.games.game import DEFAULT_MAX_BYTES, Game, Roster

__all__ = ["DEFAULT_MAX_BYTES", "DataGame", "FunctionGame", "Game", "Roster"]
