"""How much memory the tensors of a computation take at most, counted exactly and on any device."""

from __future__ import annotations

import weakref
from collections.abc import Callable
from typing import Any

from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_flatten


class _LiveStorages(TorchDispatchMode):
    """Counts the bytes of all storages that operations make, until they are freed."""

    def __init__(self) -> None:
        super().__init__()
        self.now = self.peak = 0
        self._known: set[int] = set()

    def _forget(self, address: int, size: int) -> None:
        self._known.discard(address)
        self.now -= size

    def __torch_dispatch__(self, function: Any, types: Any, args: Any = (), kwargs: Any | None = None) -> Any:
        """Run the operation and look at what it returns."""
        inputs = {
            tensor.untyped_storage().data_ptr()
            for tensor in tree_flatten((args, kwargs or {}))[0]
            if isinstance(tensor, Tensor)
        }
        outputs = function(*args, **(kwargs or {}))
        for tensor in tree_flatten(outputs)[0]:
            if isinstance(tensor, Tensor):
                storage = tensor.untyped_storage()
                address, size = storage.data_ptr(), storage.nbytes()
                if size and address not in self._known and address not in inputs:
                    self._known.add(address)
                    self.now += size
                    self.peak = max(self.peak, self.now)
                    weakref.finalize(storage, self._forget, address, size)
        return outputs


def peak_tensor_bytes(function: Callable[[], object]) -> int:
    """Run a function and count the tensors it makes.

    Args:
        function: runs tensor operations; tensors that exist before are not counted.

    Returns:
        Largest sum of the bytes of all tensors that existed at one time between two operations. Scratch
        memory inside a single operation is not seen.

    Example:
        >>> import torch
        >>> start = torch.zeros(1000)
        >>> peak_tensor_bytes(lambda: (start + 1).exp().sum())
        8000
    """
    with _LiveStorages() as storages:
        function()
    return storages.peak
