"""PTB-XL as a ``datasets.DatasetDict``."""

from __future__ import annotations

import logging
import os
from pathlib import Path

from datasets import Dataset, DatasetDict, NamedSplit

from .labels import read_scp_statements
from .ptbxl_cache import cache_key, open_cache
from .ptbxl_tables import FILENAME_COLUMNS, SPLIT_FOLDS, PtbxlError, read_database

logger = logging.getLogger(__name__)

_SHOWN = 20


def default_cache_dir() -> Path:
    """Return ``$SSL_ECG_CACHE``, or ``~/.cache/ssl_ecg_hf`` where it is not set."""
    return Path(os.environ.get("SSL_ECG_CACHE") or "~/.cache/ssl_ecg_hf").expanduser()


def _required_file(folder: Path, name: str) -> Path:
    path = folder / name
    if not path.is_file():
        raise PtbxlError(
            f"{path} does not exist; expected the root folder of PTB-XL, with ptbxl_database.csv, "
            "scp_statements.csv and records100/ or records500/. Get it with: ssl-ecg download ptbxl DEST"
        )
    return path


def _describe(bad: list[tuple[str, str]], total: int, folder: Path, report: Path) -> str:
    shown = "\n".join(f"  {file}: {reason}" for file, reason in bad[:_SHOWN])
    more = f"\n  and {len(bad) - _SHOWN} more" if len(bad) > _SHOWN else ""
    return f"{len(bad)} of {total} recordings in {folder} cannot be read:\n{shown}{more}\nFull list: {report}"


def load_ptbxl(
    folder: str | Path,
    *,
    sampling_rate: int = 100,
    cache_dir: str | Path | None = None,
    drop_bad: bool = False,
    num_workers: int | None = None,
) -> DatasetDict:
    """Load PTB-XL (any version, PhysioNet's layout) with the five diagnostic superclasses.

    The first call reads all recordings into an Arrow cache and verifies their checksums; later calls
    memory-map it. The cache is rebuilt when a file of the database changes.

    Args:
        folder: root of the database.
        sampling_rate: 100 or 500 Hz.
        cache_dir: where caches are kept; :func:`default_cache_dir` if None.
        drop_bad: leave unreadable recordings out, with a warning, in place of an error.
        num_workers: threads that read; the number of cores if None.

    Returns:
        ``train`` (folds 1-8), ``validation`` (9) and ``test`` (10) with the columns of
        :func:`~ssl_ecg_hf.data.ecg_features`: ``signal_uv`` is int16 (12, 10 s x rate) in microvolts,
        ``labels`` multi-hot over ``SUPERCLASSES`` (all zero: no diagnostic superclass). Patients older than
        89 years have age 90.

    Raises:
        PtbxlError: if the folder is no PTB-XL, or recordings are missing, truncated or damaged.
        ValueError: if ``sampling_rate`` or ``num_workers`` is not possible.

    Reference:
        Wagner et al. 2020, PTB-XL, a large publicly available electrocardiography dataset, Sci Data 7:154.
    """
    if sampling_rate not in FILENAME_COLUMNS:
        raise ValueError(f"sampling_rate={sampling_rate!r} Hz; PTB-XL has {list(FILENAME_COLUMNS)} Hz")
    if num_workers is not None and num_workers < 1:
        raise ValueError(f"num_workers={num_workers} must be at least 1, or None for one a core")
    root = Path(folder).expanduser()
    tables = [_required_file(root, name) for name in ("ptbxl_database.csv", "scp_statements.csv")]
    rows = read_database(tables[0], sampling_rate=sampling_rate)
    statements = read_scp_statements(tables[1])
    home = Path(cache_dir).expanduser() if cache_dir is not None else default_cache_dir()
    cache = home / f"ptbxl-{sampling_rate}hz-{cache_key(root, tables, rows, sampling_rate)}"
    bad = open_cache(
        cache,
        root,
        rows,
        statements=statements,
        sampling_rate=sampling_rate,
        num_workers=num_workers or os.cpu_count() or 1,
    )
    if bad:
        message = _describe(bad, len(rows), root, cache / "bad_records.txt")
        if len(bad) == len(rows):
            raise PtbxlError(
                f"{message}\nNo recording at {sampling_rate} Hz can be read: check the folder, or get the "
                "files with: ssl-ecg download ptbxl DEST"
            )
        if not drop_bad:
            raise PtbxlError(
                f"{message}\nFetch these files again, or continue without them: drop_bad=True (--drop_bad)"
            )
        logger.warning("%s\nThey are left out.", message)
    return DatasetDict(
        {
            split: Dataset.from_file(str(cache / f"{split}.arrow"), split=NamedSplit(split))
            for split in SPLIT_FOLDS
        }
    )
