"""What is explained: a torch module, a scikit-learn predictor or any callable, as one function from masked inputs to outputs."""

from __future__ import annotations

import hashlib
import sys
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from fastsa.games.arrays import Arrays, NumpyArrays, TorchArrays

# Of one linear layer: its activations, the next ones and the weights between them then share a second-level cache.
_ACTIVATIONS_BESIDE_WEIGHTS = 1 << 17
# Of the widest part of a model of tokens or images, and rows below which calls cost more than caches save;
# bench/bench_attribution.py shows what larger batches cost.
_ACTIVATIONS_IN_CACHE, _FEWEST_ROWS = 1 << 19, 16


class Model(Protocol):
    """rows_in_cache : rows whose widest activations stay in a cache, as far as the model tells; after a first call it has told."""

    arrays: Arrays
    rows_in_cache: int

    def __call__(self, *inputs: Any) -> NDArray[Any]:
        """Outputs of a batch: a numpy array, of any shape that the caller will check."""
        ...

    def identity(self) -> bytes:
        """What tells this model from another, as far as can be known."""
        ...


def model_of(model: Any, X: Any) -> Model:
    """The model in one of three forms. Raises TypeError for what cannot be called or does not predict."""
    if "torch" in sys.modules and isinstance(model, sys.modules["torch"].nn.Module):
        return TorchModel(model)
    if hasattr(model, "predict") or hasattr(model, "predict_proba"):
        return Predictor(model, getattr(X, "columns", None))
    if callable(model):
        return Callable(model)
    raise TypeError(
        f"model is a {type(model).__name__}; expected a torch module, a scikit-learn predictor or a callable."
    )


class TorchModel:
    """A module in evaluation mode, run without gradients on its own device and in its own dtype."""

    def __init__(self, module: Any) -> None:
        import torch

        if any(part.training for part in module.modules()):
            raise ValueError(
                "model is in training mode, where dropout and batch norm make outputs random; call model.eval()."
            )
        reference = next((p for p in module.parameters() if p.is_floating_point()), None)
        device = torch.device("cpu") if reference is None else reference.device
        self._torch, self.module = torch, module
        self._is_called = False
        self.rows_in_cache = sys.maxsize
        widths = [part.out_features for part in module.modules() if isinstance(part, torch.nn.Linear)]
        if widths and device.type == "cpu":
            self.rows_in_cache = _ACTIVATIONS_BESIDE_WEIGHTS // max(widths)
        self.arrays = TorchArrays(device, torch.get_default_dtype() if reference is None else reference.dtype)

    def __call__(self, *inputs: Any) -> NDArray[Any]:
        with self._torch.inference_mode():
            answer = self.module(*inputs) if self._is_called else self._first_answer(*inputs)
        return self.answer(answer)

    def _first_answer(self, *inputs: Any) -> Any:
        """Watches how many numbers the module's parts make of one row, which decides how many rows a cache holds."""
        self._is_called, widest = True, 0
        is_compiled = hasattr(self.module, "_orig_mod")  # which hooks would compile twice
        if is_compiled or inputs[0].device.type != "cpu":
            return self.module(*inputs)

        def watch(part: Any, given: Any, made: Any) -> None:
            nonlocal widest
            if isinstance(made, self._torch.Tensor):
                widest = max(widest, made.numel() // inputs[0].shape[0])

        parts = [part for part in self.module.modules() if not isinstance(part, self._torch.jit.ScriptModule)]
        hooks = [part.register_forward_hook(watch) for part in parts]
        try:
            return self.module(*inputs)
        finally:
            for hook in hooks:
                hook.remove()
            if widest:
                rows = max(_FEWEST_ROWS, _ACTIVATIONS_IN_CACHE // widest)
                self.rows_in_cache = min(self.rows_in_cache, rows)

    def answer(self, answer: Any) -> NDArray[Any]:
        """A module's answer as numpy's."""
        if not isinstance(answer, self._torch.Tensor):
            raise TypeError(
                f"model answered a {type(answer).__name__}; expected a tensor. Wrap it to return its outputs."
            )
        as_it_is = answer.dtype in (self._torch.float32, self._torch.float64)
        return (answer if as_it_is else answer.double()).cpu().numpy()

    def identity(self) -> bytes:
        digest = hashlib.sha256(repr(self.module).encode())
        for name, tensor in self.module.state_dict().items():
            digest.update(name.encode())
            digest.update(
                tensor.detach().cpu().contiguous().view(self._torch.uint8).numpy().data
                if tensor.ndim
                else bytes(str(tensor.item()), "ascii")
            )
        return digest.digest()


class Predictor:
    """A scikit-learn predictor: predict_proba where there is one, else decision_function of classifiers, else predict."""

    def __init__(self, model: Any, columns: Any) -> None:
        names = ("predict_proba", "decision_function", "predict")
        self._predict = next(getattr(model, name) for name in names if hasattr(model, name))
        self._columns = columns if hasattr(model, "feature_names_in_") else None
        self._model = model
        self.arrays, self.rows_in_cache = NumpyArrays(), sys.maxsize

    def __call__(self, *inputs: Any) -> NDArray[Any]:
        (rows,) = inputs
        if self._columns is not None:
            import pandas

            rows = pandas.DataFrame(rows, columns=self._columns)
        return np.asarray(self._predict(rows))

    def identity(self) -> bytes:
        return repr(self._model).encode()


class Callable:
    """Any function of numpy batches. Known by its name alone: two functions of one name look alike."""

    def __init__(self, fn: Any) -> None:
        self._fn = fn
        self.arrays, self.rows_in_cache = NumpyArrays(), sys.maxsize

    def __call__(self, *inputs: Any) -> NDArray[Any]:
        return np.asarray(self._fn(*inputs))

    def identity(self) -> bytes:
        return f"{getattr(self._fn, '__module__', '')}.{getattr(self._fn, '__qualname__', type(self._fn).__qualname__)}".encode()
