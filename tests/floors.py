"""Reads the imports of a package without running it, and finds those that break the floors of DESIGN.md 2."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

FLOORS = (
    ("_checks", "_threads", "_core", "_cuda", "_testing"),
    ("ops", "display"),
    ("utilities",),
    ("games",),
    ("estimators", "_exact"),
    ("labels",),
    ("metrics",),
    ("amortize",),
    ("planning",),
    ("valuator", "explainer", "knn"),
    ("curation",),
    ("report", "interop"),
    ("cli",),
)
FLOOR_OF = {room: floor for floor, rooms in enumerate(FLOORS) for room in rooms}
# Within the lowest floor: the pool checks its arguments.
ALLOWED_ASIDE = {("_threads", "_checks")}
# Names that the package hands on from a room.
HANDED_ON = {
    "BackendUnavailable": "_checks",
    "DataValuator": "valuator",
    "AmortizedExplainer": "explainer",
    "LabelStore": "labels",
    "LabelStream": "labels",
    "Labels": "labels",
    "exact": "_exact",
    "knn_shapley": "knn",
    "plan": "planning",
    "diagnose": "planning",
}
FROM_NO_ROOM = {"__version__"}


def room_of(path: Path, package: Path) -> str:
    return path.relative_to(package).parts[0].removesuffix(".py")


def imported(tree: ast.AST, module: str) -> Iterator[tuple[int, str]]:
    """(line, dotted name) of everything under fastsa that is imported, wherever in the module it is."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, a.name) for a in node.names if a.name.split(".")[0] == "fastsa")
        elif isinstance(node, ast.ImportFrom):
            parent = module.split(".")[: -node.level] if node.level else []
            source = ".".join([*parent, *(node.module or "").split(".")]).strip(".")
            if source == "fastsa":
                yield from ((node.lineno, f"fastsa.{a.name}") for a in node.names)
            elif source.startswith("fastsa."):
                yield node.lineno, source
        elif isinstance(node, ast.Call) and getattr(node.func, "attr", getattr(node.func, "id", "")) in (
            "import_module",
            "__import__",
        ):
            name = node.args[0] if node.args else None
            if isinstance(name, ast.Constant) and str(name.value).split(".")[0] == "fastsa":
                yield node.lineno, str(name.value)


def violations(package: Path) -> list[str]:
    """A sentence for every import that is not from a floor below; empty where the house stands."""
    found = []
    for path in sorted(package.rglob("*.py")):
        if path == package / "__init__.py":
            continue
        room = room_of(path, package)
        if room not in FLOOR_OF:
            found.append(f"{path.relative_to(package)} is in no room of the house; give it a floor.")
            continue
        parts = list(path.relative_to(package.parent).with_suffix("").parts)
        module = ".".join(parts)
        for line, name in imported(ast.parse(path.read_text(encoding="utf-8")), module):
            trouble = _trouble(room, name)
            if trouble:
                found.append(f"{path.relative_to(package)}:{line} {trouble}")
    return found


def _trouble(room: str, name: str) -> str:
    _, _, rest = name.partition(".")
    first = rest.split(".")[0]
    if not first:
        return "imports the whole package, which is every floor at once."
    if first in FROM_NO_ROOM:
        return ""
    other = HANDED_ON.get(first, first)
    if other == room or (room, other) in ALLOWED_ASIDE:
        return ""
    if other not in FLOOR_OF:
        return f"imports {name}, which is no room of the house."
    if FLOOR_OF[other] >= FLOOR_OF[room]:
        return f"imports {name}, which is not on a floor below {room}."
    return ""


def aside(package: Path, room: str) -> list[str]:
    """A sentence for every import in a room of rooms that leaves its own part for another; the shared files see no part."""
    home = package / room
    parts = {path.name for path in home.iterdir() if path.is_dir() and path.name != "__pycache__"}
    found = []
    for path in sorted(home.rglob("*.py")):
        own = path.relative_to(home).parts[0]
        if own == "__init__.py":
            continue
        for line, name in imported(ast.parse(path.read_text(encoding="utf-8")), room):
            other = [*name.split("."), "", ""][2]
            if name.startswith(f"fastsa.{room}.") and other in parts - {own}:
                found.append(f"{path.relative_to(package)}:{line} imports {name}, another part of {room}.")
    return found
