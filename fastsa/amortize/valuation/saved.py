"""A valuation net on disk."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from fastsa.amortize import weights_file
from fastsa.amortize.valuation.influence_start import InfluenceStart
from fastsa.amortize.valuation.informed_start import InformedStart

if TYPE_CHECKING:
    from fastsa.amortize.valuation.net import ValuationNet

_FORMAT = 2
_STARTS = {start.__name__: start for start in (InfluenceStart, InformedStart)}
_SETTINGS = ("start", "hidden", "seed", "epochs", "learning_rate", "batch_size", "pretrain_epochs", "n_threads")
_LEARNED = ("n_features_", "n_classes_", "scale_", "center_", "best_epoch_")


def save(net: ValuationNet, path: Path) -> None:
    import torch

    tensors = weights_file.named("module", net.module_.state_dict())
    if net.frozen_ is not None:
        tensors |= weights_file.named("frozen", net.frozen_.state_dict())
    if net.start_ is not None:
        arrays = net.start_.arrays()
        tensors |= weights_file.named("start", {name: torch.from_numpy(array) for name, array in arrays.items()})
    losses = {name: torch.from_numpy(losses) for name, losses in net.history_.items()}
    tensors |= weights_file.named("history", losses)
    description = {
        "format": _FORMAT,
        "net": "mlp" if net.net == "mlp" else "own",
        "settings": {name: getattr(net, name) for name in _SETTINGS},
        "learned": {name: getattr(net, name) for name in _LEARNED},
        "start": type(net.start_).__name__,
    }
    weights_file.write(path, "ValuationNet", description, tensors)


def load(kind: type[ValuationNet], path: Path, own: Any) -> ValuationNet:
    description, tensors = weights_file.read(path, "ValuationNet", _FORMAT)
    import torch

    if (description["net"] == "own") != (own is not None):
        needed = "was saved with a net of its own; give it again, as load(path, net=...)"
        raise ValueError(f"{path} {needed if own is None else 'holds an mlp; load it without net'}.")
    net = kind("mlp" if own is None else own, **description["settings"])
    for name, value in description["learned"].items():
        setattr(net, name, value)
    from fastsa.amortize.networks import own_state, zero_head

    frozen = weights_file.part(tensors, "frozen")
    with own_state(net.seed, None):
        body = net._new_body(net.n_features_, torch.Generator())
        net.frozen_ = net._new_body(net.n_features_, torch.Generator()) if frozen else None
    head = zero_head(tensors["module.1.weight"].shape[1], net.n_classes_)
    net.module_ = torch.nn.Sequential(body, head)
    weights_file.fill(net.module_.eval(), weights_file.part(tensors, "module"), path)
    if net.frozen_ is not None:
        weights_file.fill(net.frozen_.eval(), frozen, path)
    arrays = {name: tensor.numpy() for name, tensor in weights_file.part(tensors, "start").items()}
    net.start_ = _STARTS[description["start"]].of_arrays(arrays) if arrays else None
    losses = weights_file.part(tensors, "history")
    net.history_ = {name: np.asarray(values.numpy()) for name, values in losses.items()}
    return net
