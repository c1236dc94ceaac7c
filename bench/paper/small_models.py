"""Small classifiers of sequences and of graphs, to be explained."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional


class SequenceClassifier(nn.Module):
    """Sequences [rows, steps, channels] to class probabilities."""

    def __init__(self, channels: int, n_classes: int, width: int = 64) -> None:
        super().__init__()
        self.gru = nn.GRU(channels, width, batch_first=True, bidirectional=True)
        self.head = nn.Linear(2 * width, n_classes)

    def log_odds(self, sequences: torch.Tensor) -> torch.Tensor:
        return self.head(self.gru(sequences)[0].mean(dim=1))

    def forward(self, sequences: torch.Tensor) -> torch.Tensor:
        return self.log_odds(sequences).softmax(dim=1)


class GraphClassifier(nn.Module):
    """(Atoms [rows, nodes, d], bonds [rows, nodes, nodes]) to class probabilities; absent nodes are zeros and add nothing."""

    def __init__(self, d: int, n_classes: int, width: int = 64, rounds: int = 3) -> None:
        super().__init__()
        self.embed = nn.Linear(d, width, bias=False)
        self.messages = nn.ModuleList(nn.Linear(width, width, bias=False) for _ in range(rounds))
        self.own = nn.ModuleList(nn.Linear(width, width, bias=False) for _ in range(rounds))
        self.head = nn.Sequential(nn.Linear(width, width), nn.ReLU(), nn.Linear(width, n_classes))

    def log_odds(self, atoms: torch.Tensor, bonds: torch.Tensor) -> torch.Tensor:
        hidden = functional.relu(self.embed(atoms))
        for message, own in zip(self.messages, self.own, strict=True):
            hidden = functional.relu(own(hidden) + message(bonds @ hidden))
        return self.head(hidden.sum(dim=1) / 10.0)

    def forward(self, atoms: torch.Tensor, bonds: torch.Tensor) -> torch.Tensor:
        return self.log_odds(atoms, bonds).softmax(dim=1)


def train(
    model: nn.Module, inputs: tuple[torch.Tensor, ...], classes: torch.Tensor, *, epochs: int, seed: int
) -> nn.Module:
    """Adam on whole inputs and, half of the time, on inputs with random players left out (as a surrogate sees them)."""
    generator = torch.Generator().manual_seed(seed)
    optimizer = torch.optim.Adam(model.parameters(), lr=2e-3)
    for _ in range(epochs):
        for rows in torch.randperm(len(classes), generator=generator).split(32):
            batch = tuple(x[rows] for x in inputs)
            keep = torch.rand(len(rows), batch[0].shape[1], generator=generator) < torch.rand(
                len(rows), 1, generator=generator
            )
            keep |= torch.rand(len(rows), 1, generator=generator) < 0.5
            masked = (batch[0] * keep[:, :, None], *(b * keep[:, :, None] * keep[:, None, :] for b in batch[1:]))
            optimizer.zero_grad(set_to_none=True)
            functional.cross_entropy(model.log_odds(*masked), classes[rows]).backward()
            optimizer.step()
    return model.eval()
