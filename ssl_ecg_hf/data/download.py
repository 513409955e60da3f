"""Download of PTB-XL from PhysioNet: resumable, every file verified."""

from __future__ import annotations

import hashlib
import re
import time
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path, PurePosixPath

import urllib3
from datasets.utils import tqdm

PHYSIONET = "https://physionet.org/files/ptb-xl"
_TABLES = ("ptbxl_database.csv", "scp_statements.csv", "LICENSE.txt")
_FOLDERS: dict[int, str] = {100: "records100", 500: "records500"}
_ATTEMPTS = 5
_PAUSE_SECONDS = 0.5
_BLOCK = 1 << 13  # what is lost at most when a connection breaks


class DownloadError(OSError):
    """A file could not be fetched or is not what its publisher says; the message says what to do."""


def parse_checksums(text: str) -> dict[str, str]:
    """Read the lines of a ``SHA256SUMS.txt``.

    Args:
        text: lines of a digest of 64 hexadecimal digits and a path.

    Returns:
        ``{path: digest}``.

    Raises:
        DownloadError: if a line is anything else, or a path leads out of the folder.

    Example:
        >>> list(parse_checksums("ab" * 32 + " records100/00000/00001_lr.dat"))
        ['records100/00000/00001_lr.dat']
    """
    checksums = {}
    for line in text.splitlines():
        if not line.strip():
            continue
        match = re.fullmatch(r"([0-9a-f]{64})[ \t]+\*?(\S.*)", line.strip())
        path = PurePosixPath(match[2]) if match else PurePosixPath("/")
        if not match or path.is_absolute() or ".." in path.parts:
            raise DownloadError(f"not a list of SHA-256 checksums: {line[:120]!r}; check the address")
        checksums[str(path)] = match[1]
    return checksums


def _sha256(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def _fetch_once(pool: urllib3.PoolManager, url: str, part: Path) -> None:
    """Append to ``part`` what it lacks of ``url``, or start over where the server cannot go on."""
    start = part.stat().st_size if part.exists() else 0
    response = pool.request(
        "GET",
        url,
        headers={"Range": f"bytes={start}-"} if start else {},
        preload_content=False,
        retries=urllib3.Retry(connect=0, read=0, redirect=5, status=0, other=0),
    )
    try:
        if response.status == 416:  # the part is as long as the file, or longer
            response.drain_conn()
            if response.headers.get("Content-Range") != f"bytes */{start}":
                part.unlink()
            return
        if response.status not in (200, 206):
            response.drain_conn()
            answer = f"{url}: the server answered {response.status} {response.reason}"
            if response.status == 429 or response.status >= 500:  # busy, may pass
                raise urllib3.exceptions.HTTPError(answer)
            raise DownloadError(answer)
        with part.open("ab" if response.status == 206 else "wb") as file:
            for block in response.stream(_BLOCK):
                file.write(block)
    finally:
        response.release_conn()


def fetch(pool: urllib3.PoolManager, url: str, path: Path, *, sha256: str) -> None:
    """Bring one file to ``path``, unless the right one is there; it appears complete and verified.

    What an interrupted download left in ``<path>.part`` is used.

    Args:
        pool: keeps the connections open.
        url: address of the file.
        path: where it is to be.
        sha256: its digest, 64 hexadecimal digits.

    Raises:
        DownloadError: if it cannot be fetched, or its digest is wrong twice.
    """
    if path.is_file() and _sha256(path) == sha256:
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(path.name + ".part")
    wrong, problem = 0, ""
    for attempt in range(_ATTEMPTS):
        try:
            _fetch_once(pool, url, part)
        except urllib3.exceptions.HTTPError as error:
            problem = str(error)
            time.sleep(_PAUSE_SECONDS * 2**attempt)
            continue
        if part.exists() and _sha256(part) == sha256:
            part.replace(path)
            return
        part.unlink(missing_ok=True)
        wrong += 1
        problem = f"{url} does not have the published SHA-256 {sha256}"
        if wrong == 2:  # once may be an old part that was continued
            break
    raise DownloadError(
        f"{problem}. Run the same command again: it goes on where it stopped, nothing incomplete is kept "
        "under its name"
    )


def _text(pool: urllib3.PoolManager, url: str) -> str:
    try:
        response = pool.request("GET", url, retries=urllib3.Retry(3, backoff_factor=0.5, redirect=5))
    except urllib3.exceptions.HTTPError as error:
        raise DownloadError(f"{url} cannot be reached: {error}; check the network and the address") from error
    if response.status != 200:
        raise DownloadError(f"{url}: the server answered {response.status}; check version and address")
    return response.data.decode("utf-8", errors="replace")


def download_ptbxl(
    dest: str | Path,
    *,
    sampling_rate: int = 100,
    version: str = "1.0.3",
    base_url: str = PHYSIONET,
    num_workers: int = 8,
) -> Path:
    """Download PTB-XL from PhysioNet, ready for :func:`~ssl_ecg_hf.data.load_ptbxl`.

    Can be interrupted and called again at any time: files that are there are verified, not fetched. At
    100 Hz it is about 0.6 GB in 44,000 files, at 500 Hz 2.6 GB.

    Args:
        dest: folder to write to, created if needed.
        sampling_rate: 100 or 500 Hz.
        version: of the database.
        base_url: address of the database without version, to use a mirror.
        num_workers: connections at once.

    Returns:
        The folder.

    Raises:
        DownloadError: if the server cannot be reached or a file is not the published one.
        ValueError: if ``sampling_rate`` is not possible.

    Reference:
        Wagner et al. 2022, PTB-XL (version 1.0.3), PhysioNet, https://doi.org/10.13026/kfzx-aw45, CC BY 4.0.
    """
    if sampling_rate not in _FOLDERS:
        raise ValueError(f"sampling_rate={sampling_rate!r} Hz; PTB-XL has {list(_FOLDERS)} Hz")
    root = Path(dest).expanduser()
    address = f"{base_url.rstrip('/')}/{version}"
    timeout = urllib3.Timeout(connect=20, read=60)
    with urllib3.PoolManager(maxsize=num_workers, block=True, timeout=timeout) as pool:
        published = parse_checksums(_text(pool, f"{address}/SHA256SUMS.txt"))
        if missing := [name for name in _TABLES if name not in published]:
            raise DownloadError(f"{address} does not publish {missing}; check version and address")
        folder = _FOLDERS[sampling_rate]
        names = [name for name in published if name in _TABLES or PurePosixPath(name).parts[0] == folder]
        root.mkdir(parents=True, exist_ok=True)
        workers = ThreadPoolExecutor(num_workers, thread_name_prefix="download")
        try:
            futures = [
                workers.submit(fetch, pool, f"{address}/{name}", root / name, sha256=published[name])
                for name in names
            ]
            for future in tqdm(
                as_completed(futures), total=len(names), desc=f"PTB-XL {version}", unit="file"
            ):
                future.result()
        finally:
            workers.shutdown(cancel_futures=True)
    return root
