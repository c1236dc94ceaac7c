"""Networks on disk: safetensors, described by JSON in their metadata."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fastsa import _checks

if TYPE_CHECKING:
    import torch


def require_torch() -> None:
    """Raise BackendUnavailable unless torch and safetensors can be imported."""
    try:
        import safetensors  # noqa: F401
        import torch  # noqa: F401
    except ImportError:
        raise _checks.BackendUnavailable("Amortization needs torch: pip install 'fastsa[torch]'.") from None


def write(path: Path, kind: str, description: dict[str, Any], tensors: dict[str, torch.Tensor]) -> None:
    """A file of the net class `kind`."""
    from safetensors.torch import save_file

    # A tensor may share memory with another (tied weights), which safetensors refuses: each is written on its own.
    own = {name: tensor.detach().cpu().clone().contiguous() for name, tensor in tensors.items()}
    save_file(own, path, metadata={f"fastsa.{kind}": json.dumps(description)})


def read(path: Path, kind: str, version: int) -> tuple[dict[str, Any], dict[str, torch.Tensor]]:
    """(description, tensors) of what `write` wrote. Raises ValueError for another class of net, or another format."""
    require_torch()
    from safetensors import safe_open

    with safe_open(path, framework="pt") as file:
        description = json.loads((file.metadata() or {}).get(f"fastsa.{kind}", "{}"))
        tensors = {name: file.get_tensor(name) for name in file.keys()}
    if description.get("format") != version:
        raise ValueError(f"{path} holds no {kind} of format {version}; expected a file written by save.")
    return description, tensors


def named(part: str, tensors: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """The tensors under the name of the part that they are of."""
    return {f"{part}.{name}": tensor for name, tensor in tensors.items()}


def part(tensors: dict[str, torch.Tensor], name: str) -> dict[str, torch.Tensor]:
    """The tensors of one part, by their own names."""
    return {key[len(name) + 1 :]: tensor for key, tensor in tensors.items() if key.startswith(f"{name}.")}


def fill(module: torch.nn.Module, state: dict[str, torch.Tensor], path: Path) -> None:
    """Give a module its weights. Raises ValueError where they do not fit."""
    try:
        module.load_state_dict(state)
    except RuntimeError as error:
        raise ValueError(f"net does not fit the weights in {path}: {error}") from None
