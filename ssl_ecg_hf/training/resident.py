"""A training set whose signals lie on the accelerator."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ssl_ecg_hf.data.signals import SignalTable

ROW = "row"
CHUNK = 1024  # recordings copied at once
SHOWN = 10  # bad recordings in a message
logger = logging.getLogger(__name__)


class ResidentTable(SignalTable):
    """A `SignalTable` that gives row numbers in place of signals; `fill` looks the signals up on the device.

    PTB-XL's 17,418 training recordings at 100 Hz take 399 MiB there. In several processes each one holds the
    whole set.

    Args:
        table: what is copied, in the type it is stored in.
        device: where the signals are kept.

    Raises:
        ValueError: if the device has not enough memory.
    """

    def __init__(self, table: SignalTable, *, device: torch.device) -> None:
        super().__init__(table.dataset, columns=table.column_names)
        mebibytes = len(table) * int(np.prod(self.signal_shape)) * self._dtype.itemsize / 2**20
        try:
            self.signals = self._copy(table, device)
        except torch.OutOfMemoryError as error:
            raise ValueError(
                f"{len(table)} recordings need {mebibytes:.0f} MiB, more than is free on {device}; "
                "train without keep_data_on_device"
            ) from error
        logger.info("keeping %d recordings (%.0f MiB) on %s", len(table), mebibytes, device)

    def _copy(self, table: SignalTable, device: torch.device) -> Tensor:
        kind = torch.from_numpy(np.empty(0, self._dtype)).dtype
        signals = torch.empty((len(table), *self.signal_shape), dtype=kind, device=device)
        for start in range(0, len(table), CHUNK):
            rows = range(start, min(start + CHUNK, len(table)))
            part = torch.from_numpy(table.__getitems__(rows)[self.signal_name])
            bad = (~torch.isfinite(part).flatten(1).all(dim=1)).nonzero().flatten() + start
            if len(bad):
                shown = ", ".join(map(str, bad[:SHOWN].tolist())) + (" ..." if len(bad) > SHOWN else "")
                raise ValueError(
                    f"row(s) {shown} of the training set hold NaN or infinite samples; repair these "
                    "recordings, or remove them with Dataset.filter"
                )
            signals[rows.start : rows.stop] = part.to(device)
        return signals

    def __getitems__(self, indices: Sequence[int]) -> dict[str, NDArray[Any]]:
        """Return the row numbers of one batch and the requested columns."""
        rows = np.asarray(indices, dtype=np.int64).reshape(-1)
        return {ROW: rows, **{name: self.column(name)[rows] for name in self.column_names}}

    def fill(self, batch: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Put signals into a batch in place of its row numbers, without leaving the device."""
        filled = {name: values for name, values in batch.items() if name != ROW}
        return {self.signal_name: self.signals[batch[ROW]], **filled}

    def __getstate__(self) -> dict[str, Any]:
        # Reading processes need the row numbers alone.
        return {name: value for name, value in super().__getstate__().items() if name != "signals"}
