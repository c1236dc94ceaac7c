"""An attribution net on disk."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from fastsa.amortize import weights_file
from fastsa.amortize.attribution.task import Task

if TYPE_CHECKING:
    from fastsa.amortize.attribution.net import AttributionNet

_FORMAT = 1
_SETTINGS = (
    "grid",
    "width",
    "depth",
    "scale",
    "efficiency",
    "bounded",
    "objective",
    "coalitions",
    "epochs",
    "learning_rate",
    "batch_size",
    "decay",
    "weight_decay",
    "seed",
    "n_threads",
)


def save(net: AttributionNet, path: Path) -> None:
    import torch

    tensors = weights_file.named("module", net.module_.state_dict())
    tensors |= weights_file.named("readout", {"center": net.readout_.center})
    losses = {name: torch.from_numpy(losses) for name, losses in net.history_.items()}
    tensors |= weights_file.named("history", losses)
    description = {
        "format": _FORMAT,
        "net": net.net if isinstance(net.net, str) else "own",
        "kind": net.kind_,
        "backbone": net.backbone is not None,
        "settings": {name: getattr(net, name) for name in _SETTINGS},
        "task": net.task_.config(),
        "unit": net.readout_.unit,
        "best_epoch": net.best_epoch_,
        "evaluations": net.evaluations_,
        "started": net.started_,
    }
    weights_file.write(path, "AttributionNet", description, tensors)


def load(kind: type[AttributionNet], path: Path, own: Any, backbone: Any) -> AttributionNet:
    description, tensors = weights_file.read(path, "AttributionNet", _FORMAT)
    import torch

    from fastsa.amortize.networks import own_state

    for name, saved, given in (
        ("net", description["net"] == "own", own),
        ("backbone", description["backbone"], backbone),
    ):
        if saved != (given is not None):
            needed = f"was saved with a {name} of its own; give it again, as load(path, {name}=...)"
            raise ValueError(f"{path} {needed if saved else f'has no {name} of its own; load it without'}.")
    net = kind(description["net"] if own is None else own, backbone=backbone, **description["settings"])
    net.task_, net.kind_ = Task.of_config(description["task"]), description["kind"]
    with own_state(net.seed, None):
        net.module_ = net._new_module(net.task_, net.kind_, None, torch.Generator()).eval()
    weights_file.fill(net.module_, weights_file.part(tensors, "module"), path)
    center = weights_file.part(tensors, "readout")["center"]
    net.readout_ = replace(net._new_readout(net.task_), unit=description["unit"], center=center)
    net.best_epoch_, net.evaluations_ = description["best_epoch"], description["evaluations"]
    net.started_ = description.get("started", False)
    losses = weights_file.part(tensors, "history")
    net.history_ = {name: np.asarray(values.numpy()) for name, values in losses.items()}
    return net
