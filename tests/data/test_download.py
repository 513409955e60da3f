from __future__ import annotations

import hashlib
import threading
from collections import Counter
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from ssl_ecg_hf.data import DownloadError, download, download_ptbxl

FILES = {
    "ptbxl_database.csv": b"ecg_id\n1\n",
    "scp_statements.csv": b"code\n",
    "LICENSE.txt": b"CC BY 4.0",
    "records100/00000/00001_lr.hea": b"header",
    "records100/00000/00001_lr.dat": bytes(range(256)) * 1000,
    "records500/00000/00001_hr.dat": b"high rate",
    "example_physionet.py": b"print()",
}
DAT = "records100/00000/00001_lr.dat"


class Mirror(ThreadingHTTPServer):
    """Serves FILES below /1.0.3/, knows Range, and can be told to misbehave."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.files = dict(FILES)
        self.files["SHA256SUMS.txt"] = "".join(
            f"{hashlib.sha256(content).hexdigest()} {name}\n" for name, content in FILES.items()
        ).encode()
        self.requests: Counter[str] = Counter()
        self.ranges: list[str] = []
        self.break_off_after: dict[str, list[int]] = {}
        self.busy: Counter[str] = Counter()
        self.knows_ranges = True
        self.url = f"http://127.0.0.1:{self.server_address[1]}"


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Mirror

    def log_message(self, *args: object) -> None:
        """Be quiet."""

    def do_GET(self) -> None:
        mirror, name = self.server, self.path.removeprefix("/1.0.3/")
        mirror.requests[name] += 1
        content = mirror.files.get(name)
        if mirror.busy[name] > 0 or content is None:
            mirror.busy[name] -= 1
            self.send_response(404 if content is None else 503)
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        start = 0
        if "Range" in self.headers and mirror.knows_ranges:
            mirror.ranges.append(self.headers["Range"])
            start = int(self.headers["Range"].removeprefix("bytes=").removesuffix("-"))
            if start >= len(content):
                self.send_response(416)
                self.send_header("Content-Range", f"bytes */{len(content)}")
                self.send_header("Content-Length", "0")
                self.end_headers()
                return
        body = content[start:]
        self.send_response(206 if start else 200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if cuts := mirror.break_off_after.get(name):
            self.wfile.write(body[: cuts.pop(0)])
            self.close_connection = True
            return
        self.wfile.write(body)


@pytest.fixture
def mirror(monkeypatch: pytest.MonkeyPatch) -> Iterator[Mirror]:
    monkeypatch.setattr(download, "_PAUSE_SECONDS", 0.0)
    server = Mirror()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def fetched(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


EXPECTED = {name: FILES[name] for name in list(FILES)[:5]}


def test_the_asked_rate_is_downloaded(mirror: Mirror, tmp_path: Path) -> None:
    assert download_ptbxl(tmp_path / "d", base_url=mirror.url) == tmp_path / "d"
    assert fetched(tmp_path / "d") == EXPECTED
    download_ptbxl(tmp_path / "d", base_url=mirror.url + "/", sampling_rate=500)
    assert fetched(tmp_path / "d").keys() == EXPECTED.keys() | {"records500/00000/00001_hr.dat"}


def test_what_is_there_is_verified_and_not_fetched_again(mirror: Mirror, tmp_path: Path) -> None:
    download_ptbxl(tmp_path, base_url=mirror.url)
    (tmp_path / "LICENSE.txt").write_bytes(b"damaged")
    mirror.requests.clear()
    download_ptbxl(tmp_path, base_url=mirror.url)
    assert mirror.requests == {"SHA256SUMS.txt": 1, "LICENSE.txt": 1}
    assert fetched(tmp_path) == EXPECTED


def test_broken_connections_are_continued(mirror: Mirror, tmp_path: Path) -> None:
    mirror.break_off_after[DAT] = [100_000, 50_000]
    mirror.busy["LICENSE.txt"] = 2
    download_ptbxl(tmp_path, base_url=mirror.url)
    assert fetched(tmp_path) == EXPECTED
    assert mirror.ranges == ["bytes=98304-", "bytes=147456-"]


def test_interrupted_download_goes_on_where_it_stopped(mirror: Mirror, tmp_path: Path) -> None:
    mirror.break_off_after[DAT] = [20_000] * 5
    with pytest.raises(DownloadError, match="Run the same command again"):
        download_ptbxl(tmp_path, base_url=mirror.url)
    assert not (tmp_path / DAT).exists()
    assert (tmp_path / f"{DAT}.part").stat().st_size == 5 * 16_384
    mirror.ranges.clear()
    download_ptbxl(tmp_path, base_url=mirror.url)
    assert mirror.ranges == ["bytes=81920-"]
    assert fetched(tmp_path) == EXPECTED


def test_server_without_ranges_starts_over(mirror: Mirror, tmp_path: Path) -> None:
    mirror.knows_ranges = False
    mirror.break_off_after[DAT] = [70_000]
    download_ptbxl(tmp_path, base_url=mirror.url)
    assert fetched(tmp_path) == EXPECTED


@pytest.mark.parametrize("left", [FILES[DAT], b"\x00" * 300, FILES[DAT] + b"more"])
def test_what_an_earlier_run_left_is_checked(mirror: Mirror, tmp_path: Path, left: bytes) -> None:
    part = tmp_path / f"{DAT}.part"
    part.parent.mkdir(parents=True)
    part.write_bytes(left)
    download_ptbxl(tmp_path, base_url=mirror.url)
    assert fetched(tmp_path) == EXPECTED


def test_wrong_content_is_refused(mirror: Mirror, tmp_path: Path) -> None:
    mirror.files["scp_statements.csv"] = b"changed"
    with pytest.raises(DownloadError, match=r"scp_statements.csv does not have the published SHA-256"):
        download_ptbxl(tmp_path, base_url=mirror.url)
    assert not list(tmp_path.glob("scp_statements*"))
    assert mirror.requests["scp_statements.csv"] == 2


def test_missing_file_on_the_server(mirror: Mirror, tmp_path: Path) -> None:
    del mirror.files[DAT]
    with pytest.raises(DownloadError, match=r"00001_lr.dat: the server answered 404"):
        download_ptbxl(tmp_path, base_url=mirror.url)
    assert mirror.requests[DAT] == 1


def test_unknown_version_and_unreachable_server(mirror: Mirror, tmp_path: Path) -> None:
    with pytest.raises(DownloadError, match=r"/9.9/SHA256SUMS.txt: the server answered 404; check version"):
        download_ptbxl(tmp_path, base_url=mirror.url, version="9.9")
    mirror.files["SHA256SUMS.txt"] = b""
    with pytest.raises(DownloadError, match="does not publish"):
        download_ptbxl(tmp_path, base_url=mirror.url)
    with pytest.raises(ValueError, match="sampling_rate=250"):
        download_ptbxl(tmp_path, base_url=mirror.url, sampling_rate=250)


@pytest.mark.parametrize(
    "line", ["<html>", "ab" * 32 + " ../outside", "ab" * 32 + " /etc/passwd", "abc  x.dat"]
)
def test_only_checksums_are_taken_for_checksums(line: str) -> None:
    with pytest.raises(DownloadError, match="not a list of SHA-256 checksums"):
        download.parse_checksums(line)
