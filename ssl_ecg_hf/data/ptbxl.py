"""PTB-XL as a ``datasets.DatasetDict``."""

from __future__ import annotations

import logging
import os
from pathlib import Path

from datasets import Dataset, DatasetDict, NamedSplit

from .arrow_cache import BAD_RECORDS
from .label_sets import SUPERDIAGNOSTIC, LabelSet, check_label_set, read_label_set
from .labels import read_scp_statements, read_statements
from .ptbxl_cache import cache_key, open_ptbxl_cache
from .ptbxl_tables import FILENAME_COLUMNS, SPLIT_FOLDS, PtbxlError, read_database, read_scp_codes
from .schema import with_labels
from .signals import numeric_column

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


def ptbxl_label_set(folder: str | Path, name: str) -> LabelSet:
    """Return the classes of a label set of PTB-XL, see :func:`~ssl_ecg_hf.data.read_label_set`.

    Args:
        folder: root of the database.
        name: key of ``LABEL_SETS``.

    Raises:
        PtbxlError: if the folder is no PTB-XL.
        ValueError: if the name is unknown or the table damaged.
    """
    return read_label_set(_required_file(Path(folder).expanduser(), "scp_statements.csv"), name)


def relabel_ptbxl(splits: DatasetDict, folder: str | Path, label_set: LabelSet) -> DatasetDict:
    """Return splits of PTB-XL with the labels of another set; their signals stay in the cache that they have.

    Args:
        splits: as :func:`load_ptbxl` returns them.
        folder: root of the database.
        label_set: the classes.

    Raises:
        PtbxlError: if a recording has a code that scp_statements.csv does not list.
    """
    root = Path(folder).expanduser()
    codes = read_scp_codes(root / "ptbxl_database.csv")
    known = {statement.code for statement in read_statements(root / "scp_statements.csv")}
    found = DatasetDict()
    for name, split in splits.items():
        of_split = [codes[ecg_id] for ecg_id in numeric_column(split, "ecg_id").tolist()]
        if unknown := set().union(*of_split) - known:
            raise PtbxlError(
                f"recordings of {root} have codes {sorted(unknown)[:5]} that its scp_statements.csv does not "
                "list; fetch both tables of one version of PTB-XL"
            )
        found[name] = with_labels(split, label_set.labels(of_split))
    return found


def load_ptbxl(
    folder: str | Path,
    *,
    sampling_rate: int = 100,
    label_set: str = SUPERDIAGNOSTIC,
    cache_dir: str | Path | None = None,
    drop_bad: bool = False,
    num_workers: int | None = None,
) -> DatasetDict:
    """Load PTB-XL (any version, PhysioNet's layout), by default with the five diagnostic superclasses.

    The first call reads all recordings into an Arrow cache and verifies their checksums; later calls
    memory-map it. The cache is rebuilt when a file of the database changes. All label sets share it.

    Args:
        folder: root of the database.
        sampling_rate: 100 or 500 Hz.
        label_set: key of ``LABEL_SETS``; :func:`ptbxl_label_set` has the names of its classes.
        cache_dir: where caches are kept; :func:`default_cache_dir` if None.
        drop_bad: leave unreadable recordings out, with a warning, in place of an error.
        num_workers: threads that read; the number of cores if None.

    Returns:
        ``train`` (folds 1-8), ``validation`` (9) and ``test`` (10) with the columns of
        :func:`~ssl_ecg_hf.data.ecg_features`: ``signal_uv`` is int16 (12, 10 s x rate) in microvolts,
        ``labels`` multi-hot over the classes of the label set (all zero: none of them). Patients older than
        89 years have age 90.

    Raises:
        PtbxlError: if the folder is no PTB-XL, or recordings are missing, truncated or damaged.
        ValueError: if ``sampling_rate``, ``label_set`` or ``num_workers`` is not possible.

    Reference:
        Wagner et al. 2020, PTB-XL, a large publicly available electrocardiography dataset, Sci Data 7:154.
    """
    if sampling_rate not in FILENAME_COLUMNS:
        raise ValueError(f"sampling_rate={sampling_rate!r} Hz; PTB-XL has {list(FILENAME_COLUMNS)} Hz")
    check_label_set(label_set)
    if num_workers is not None and num_workers < 1:
        raise ValueError(f"num_workers={num_workers} must be at least 1, or None for one a core")
    root = Path(folder).expanduser()
    tables = [_required_file(root, name) for name in ("ptbxl_database.csv", "scp_statements.csv")]
    rows = read_database(tables[0], sampling_rate=sampling_rate)
    statements = read_scp_statements(tables[1])
    home = Path(cache_dir).expanduser() if cache_dir is not None else default_cache_dir()
    cache, notes = open_ptbxl_cache(
        home / f"ptbxl-{sampling_rate}hz-{cache_key(root, tables, rows, sampling_rate)}",
        root,
        rows,
        statements=statements,
        sampling_rate=sampling_rate,
        num_workers=num_workers or os.cpu_count() or 1,
    )
    if bad := notes["bad"]:
        message = _describe(bad, len(rows), root, cache / BAD_RECORDS)
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
    splits = DatasetDict(
        {
            split: Dataset.from_file(str(cache / f"{split}.arrow"), split=NamedSplit(split))
            for split in SPLIT_FOLDS
        }
    )
    if label_set == SUPERDIAGNOSTIC:
        return splits
    return relabel_ptbxl(splits, root, ptbxl_label_set(root, label_set))
