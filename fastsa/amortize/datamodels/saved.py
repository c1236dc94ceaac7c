"""A datamodel net on disk."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from fastsa.amortize import weights_file
from fastsa.amortize.datamodels.pair_inputs import PairInputs

if TYPE_CHECKING:
    from fastsa.amortize.datamodels.net import DatamodelNet

_FORMAT = 1
_SETTINGS = ("start", "hidden", "rank", "seed", "epochs", "learning_rate", "batch_size", "n_threads")
_LEARNED = ("n_features_", "n_classes_", "scale_", "intercept_", "best_epoch_")


def save(net: DatamodelNet, path: Path) -> None:
    import torch

    def tensors_of(arrays: dict[str, Any]) -> dict[str, torch.Tensor]:
        return {name: torch.from_numpy(np.asarray(array)) for name, array in arrays.items()}

    tensors = weights_file.named("module", net.module_.state_dict())
    tensors |= weights_file.named("inputs", tensors_of(net.inputs_.arrays()))
    tensors |= weights_file.named("start", tensors_of({"weights": net.weights_}))
    tensors |= weights_file.named("history", tensors_of(net.history_))
    description = {
        "format": _FORMAT,
        "settings": {name: getattr(net, name) for name in _SETTINGS},
        "learned": {name: getattr(net, name) for name in _LEARNED},
    }
    weights_file.write(path, "DatamodelNet", description, tensors)


def load(kind: type[DatamodelNet], path: Path) -> DatamodelNet:
    description, tensors = weights_file.read(path, "DatamodelNet", _FORMAT)
    import torch

    from fastsa.amortize.datamodels.towers import Towers

    def arrays_of(part: str) -> dict[str, Any]:
        return {name: tensor.numpy() for name, tensor in weights_file.part(tensors, part).items()}

    net = kind(**description["settings"])
    for name, value in description["learned"].items():
        setattr(net, name, value)
    net.inputs_ = PairInputs.of_arrays(arrays_of("inputs"))
    net.weights_, net.history_ = arrays_of("start")["weights"], arrays_of("history")
    width = net.inputs_.axes.shape[1] + 2 * net.n_classes_
    net.module_ = Towers(width, net.hidden, net.rank, torch.Generator()).eval()
    weights_file.fill(net.module_, weights_file.part(tensors, "module"), path)
    return net
