"""What every benchmark gets: recordings, sizes, devices and a folder for scratch files."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import torch
from datasets import Dataset
from torch import Tensor

from benchmarks.recordings import simulate_folder, take_part
from benchmarks.timing import CPU
from ssl_ecg_hf.data import SignalTable, load_ptbxl
from ssl_ecg_hf.data.batches import collate, to_millivolts

SIMULATED = "simulated"
NO_ACCELERATOR = "on an accelerator: this machine has none"


@dataclass(frozen=True, kw_only=True)
class Sizes:
    """How much is measured.

    Args:
        part: recordings that the pretraining steps draw from.
        simulated: recordings to simulate where there are no real ones.
        batch: recordings per pretraining step.
        steps: pretraining steps per repetition.
        augmentation_calls: batches augmented per repetition.
        classifier_batch: recordings per classified batch.
        classifier_batches: such batches per repetition.
        single_calls: recordings classified one by one per repetition.
        memory_steps: pretraining steps of a process whose memory is watched.
        whole_folder: whether the cache is built of all recordings, else of ``part``.
        folder: files that are read and classified.
        compiled: whether models are compiled, too.
        nt_xent: numbers of views (2N) in the NT-Xent loss.
        nt_xent_calls: losses per repetition.
    """

    part: int = 2000
    simulated: int = 4000
    batch: int = 128
    steps: int = 5
    augmentation_calls: int = 3
    classifier_batch: int = 256
    classifier_batches: int = 3
    single_calls: int = 50
    memory_steps: int = 10
    whole_folder: bool = True
    folder: int = 300
    compiled: bool = True
    nt_xent: tuple[int, ...] = (512, 2048, 16384)
    nt_xent_calls: int = 1


FULL = Sizes()
QUICK = Sizes(
    part=200,
    simulated=400,
    batch=32,
    steps=2,
    augmentation_calls=1,
    classifier_batch=64,
    classifier_batches=1,
    single_calls=5,
    memory_steps=3,
    whole_folder=False,
    folder=50,
    compiled=False,
    nt_xent=(128, 256, 512),
    nt_xent_calls=1,
)


@dataclass(frozen=True, kw_only=True)
class Context:
    """Everything a benchmark needs.

    Args:
        sizes: how much is measured.
        repetitions: values per variant.
        devices: where models run, the CPU first.
        work: folder for scratch files, deleted at the end.
        folder: root of all recordings, in PTB-XL's layout.
        part: root of ``sizes.part`` of these recordings.
        stems: path without suffix of each recording of ``part``.
        cache: where the caches of ``folder`` and ``part`` lie, already built.
        train: folds 1-8 of ``part``.
        all_train: folds 1-8 of all recordings.
        num_records: all recordings, in all folds.
    """

    sizes: Sizes
    repetitions: int
    devices: tuple[torch.device, ...]
    work: Path
    folder: Path
    part: Path
    stems: tuple[Path, ...]
    cache: Path
    train: Dataset
    all_train: Dataset
    num_records: int

    @property
    def few(self) -> int:
        """Values per variant of what needs new processes or seconds for each: at most 3."""
        return min(self.repetitions, 3)

    @property
    def not_measured(self) -> tuple[str, ...]:
        """What a benchmark that runs on every device leaves out."""
        return () if len(self.devices) > 1 else (NO_ACCELERATOR,)

    @property
    def sampling_rate(self) -> float:
        """Of all recordings, in Hz."""
        return 100.0

    def signals(self, count: int, device: torch.device) -> Tensor:
        """Return (count, leads, samples) in mV of ``train``, recordings repeated where there are too few."""
        table = SignalTable(self.train)
        batch = collate(table.__getitems__([index % len(table) for index in range(count)]))
        return to_millivolts(batch).to(device)


def available_devices() -> tuple[torch.device, ...]:
    """The CPU and, where there is one, the accelerator."""
    accelerator = torch.accelerator.current_accelerator(check_available=True)
    return (CPU,) if accelerator is None else (CPU, accelerator)


@contextmanager
def prepared(data: str, *, sizes: Sizes, repetitions: int) -> Iterator[Context]:
    """Prepare recordings and caches in a temporary folder, which is deleted afterwards.

    Args:
        data: root folder of a PTB-XL, or ``"simulated"``.
        sizes: how much is measured.
        repetitions: values per variant.

    Raises:
        ValueError: if ``data`` is no such folder, or has too few recordings for one batch.
    """
    with tempfile.TemporaryDirectory(prefix="ssl-ecg-benchmark-") as name:
        work = Path(name)
        folder = work / SIMULATED if data == SIMULATED else Path(data).expanduser()
        if data == SIMULATED:
            simulate_folder(folder, sizes.simulated)
        stems = take_part(folder, work / "part", sizes.part)
        cache = work / "cache"
        everything = load_ptbxl(folder, cache_dir=cache)
        train = load_ptbxl(work / "part", cache_dir=cache)["train"]
        if len(train) < sizes.batch:
            raise ValueError(
                f"{data} gives {len(train)} recordings of folds 1-8 to train on, fewer than one batch of "
                f"{sizes.batch}; give a folder with more recordings, or --quick"
            )
        yield Context(
            sizes=sizes,
            repetitions=repetitions,
            devices=available_devices(),
            work=work,
            folder=folder,
            part=work / "part",
            stems=tuple(stems),
            cache=cache,
            train=train,
            all_train=everything["train"],
            num_records=sum(len(split) for split in everything.values()),
        )
