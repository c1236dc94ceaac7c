"""A valuation net on disk: safetensors with JSON metadata."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from fastsa import _checks
from fastsa.amortize.influence_start import InfluenceStart

if TYPE_CHECKING:
    from fastsa.amortize.valuation_net import ValuationNet

_FORMAT = 1
_SETTINGS = ("start", "hidden", "seed", "epochs", "learning_rate", "batch_size", "pretrain_epochs", "n_threads")
_LEARNED = ("n_features_", "n_classes_", "scale_", "center_", "best_epoch_")


def require_torch() -> None:
    """Raise BackendUnavailable unless torch and safetensors can be imported."""
    try:
        import safetensors  # noqa: F401
        import torch  # noqa: F401
    except ImportError:
        raise _checks.BackendUnavailable("Amortization needs torch: pip install 'fastsa[torch]'.") from None


def save(net: ValuationNet, path: Path) -> None:
    import torch
    from safetensors.torch import save_file

    tensors = {f"module.{name}": tensor for name, tensor in net.module_.state_dict().items()}
    if net.frozen_ is not None:
        tensors |= {f"frozen.{name}": tensor for name, tensor in net.frozen_.state_dict().items()}
    if net.start_ is not None:
        tensors |= {f"start.{name}": torch.from_numpy(array) for name, array in net.start_.arrays().items()}
    tensors |= {f"history.{name}": torch.from_numpy(losses) for name, losses in net.history_.items()}
    description = {
        "format": _FORMAT,
        "net": "mlp" if net.net == "mlp" else "own",
        "settings": {name: getattr(net, name) for name in _SETTINGS},
        "learned": {name: getattr(net, name) for name in _LEARNED},
    }
    # A tensor may share memory with another (tied weights), which safetensors refuses: each is written on its own.
    own = {name: tensor.detach().clone().contiguous() for name, tensor in tensors.items()}
    save_file(own, path, metadata={"fastsa.ValuationNet": json.dumps(description)})


def load(kind: type[ValuationNet], path: Path, own: Any) -> ValuationNet:
    require_torch()
    import torch
    from safetensors import safe_open

    with safe_open(path, framework="pt") as file:
        description = json.loads((file.metadata() or {}).get("fastsa.ValuationNet", "{}"))
        tensors = {name: file.get_tensor(name) for name in file.keys()}
    if description.get("format") != _FORMAT:
        raise ValueError(f"{path} holds no ValuationNet of format {_FORMAT}; expected a file written by save.")
    if (description["net"] == "own") != (own is not None):
        needed = "was saved with a net of its own; give it again, as load(path, net=...)"
        raise ValueError(f"{path} {needed if own is None else 'holds an mlp; load it without net'}.")
    net = kind("mlp" if own is None else own, **description["settings"])
    for name, value in description["learned"].items():
        setattr(net, name, value)
    from fastsa.amortize.networks import own_state, zero_head

    with own_state(net.seed, None):
        body = net._new_body(net.n_features_, torch.Generator())
        net.frozen_ = net._new_body(net.n_features_, torch.Generator()) if _part(tensors, "frozen") else None
    head = zero_head(tensors["module.1.weight"].shape[1], net.n_classes_)
    net.module_ = torch.nn.Sequential(body, head)
    for module, part in ((net.module_, "module"), (net.frozen_, "frozen")):
        if module is not None:
            _fill(module.eval(), _part(tensors, part), path)
    arrays = {name: tensor.numpy() for name, tensor in _part(tensors, "start").items()}
    net.start_ = InfluenceStart.of_arrays(arrays) if arrays else None
    net.history_ = {name: np.asarray(losses.numpy()) for name, losses in _part(tensors, "history").items()}
    return net


def _part(tensors: dict[str, Any], part: str) -> dict[str, Any]:
    return {name[len(part) + 1 :]: tensor for name, tensor in tensors.items() if name.startswith(f"{part}.")}


def _fill(module: Any, state: dict[str, Any], path: Path) -> None:
    try:
        module.load_state_dict(state)
    except RuntimeError as error:
        raise ValueError(f"net does not fit the weights in {path}: {error}") from None
