"""A server on this machine that speaks the part of the Hub's protocol that releases need.

Everything is kept in memory: models and datasets, private and gated ones too, commits, branches, tags and
pull requests, large files by Git LFS. What a test wants to go wrong it writes into `faults`. By hand:

    python tests/hub_export/loopback_hub.py 8000
    HF_ENDPOINT=http://127.0.0.1:8000 HF_TOKEN=hf_user HF_HUB_DISABLE_XET=1 ssl-ecg push FOLDER user/name
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
import sys
import threading
from contextlib import nullcontext
from dataclasses import dataclass, field
from fnmatch import fnmatch
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Literal
from urllib.parse import parse_qs, unquote, urlsplit

LARGE = ("*.safetensors", "*.npy", "*.onnx", "*.parquet")
DATE = "2026-01-01T00:00:00.000Z"
REPO = r"/api/(?P<kind>model|dataset)s/(?P<name>[\w.-]+/[\w.-]+)"
PLAIN = r"/(?:(?P<kind>dataset)s/)?(?P<name>[\w.-]+/[\w.-]+?)"
REVISION = r"/(?P<revision>[^/]+)"


class Refused(Exception):
    """An answer that is no success.

    Args:
        status: of HTTP.
        message: for people.
        code: by which `huggingface_hub` chooses its exception.
    """

    def __init__(self, status: int, message: str, code: str = "") -> None:
        super().__init__(message)
        self.status, self.message, self.code = status, message, code


@dataclass(frozen=True)
class File:
    """A file of a commit."""

    content: bytes
    large: bool

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.content).hexdigest()

    @property
    def description(self) -> dict[str, Any]:
        """What the Hub says of it: the id of the Git blob, and of a large file the pointer's and the hash."""
        blob, size = self.content, len(self.content)
        if self.large:
            pointer = f"version https://git-lfs.github.com/spec/v1\noid sha256:{self.sha256}\nsize {size}\n"
            blob = pointer.encode()
        oid = hashlib.sha1(b"blob %d\0" % len(blob) + blob).hexdigest()
        lfs = {"lfs": {"oid": self.sha256, "size": size, "pointerSize": len(blob)}} if self.large else {}
        return {"oid": oid, "size": size, **lfs}


@dataclass
class Repo:
    """Commits, the names that point to them, and titles of the pull requests.

    Everybody may list the files of a gated one; only its owner, whom nobody asked for access, gets them.
    """

    private: bool
    gated: Literal["auto", "manual", False] = False
    commits: list[tuple[str, str, dict[str, File]]] = field(default_factory=list)
    refs: dict[str, str] = field(default_factory=dict)
    pull_requests: list[str] = field(default_factory=list)

    def resolve(self, revision: str) -> str:
        for name in (revision, f"refs/heads/{revision}", f"refs/tags/{revision}"):
            if name in self.refs:
                return self.refs[name]
        if any(sha == revision for sha, _, _ in self.commits):
            return revision
        raise Refused(404, f"Invalid rev id: {revision}", "RevisionNotFound")

    def files(self, revision: str) -> dict[str, File]:
        wanted = self.resolve(revision)
        return next(files for sha, _, files in self.commits if sha == wanted)

    def commit(self, ref: str, title: str, files: dict[str, File]) -> str:
        text = f"{len(self.commits)} {title} {[(name, file.sha256) for name, file in sorted(files.items())]}"
        sha = hashlib.sha1(text.encode()).hexdigest()
        self.commits.append((sha, title, files))
        self.refs[ref] = sha
        return sha


class LoopbackHub(ThreadingHTTPServer):
    """The server; it answers while it is used as a context."""

    daemon_threads = True

    def __init__(self, port: int = 0) -> None:
        super().__init__(("127.0.0.1", port), Handler)
        self.lock = threading.RLock()
        self.clear()

    def clear(self) -> None:
        """Forget everything."""
        self.tokens = {"hf_user": "user"}
        self.repos: dict[tuple[str, str], Repo] = {}
        self.stored: dict[str, bytes] = {}
        self.requests: list[str] = []  # method and path, never a header
        self.faults: dict[str, str] = {}  # name of a method of Handler -> "refuse" or "lose the answer"

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    def repo(self, name: str, kind: str = "model") -> Repo:
        return self.repos[kind, name]

    def __enter__(self) -> LoopbackHub:
        threading.Thread(target=self.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.shutdown()
        self.server_close()


class Handler(BaseHTTPRequestHandler):
    """One request."""

    protocol_version = "HTTP/1.1"
    server: LoopbackHub
    ROUTES = (
        ("POST", r"/api/repos/create", "create_repo"),
        ("POST", r"/api/validate-yaml", "validate_yaml"),
        ("POST", rf"{PLAIN}\.git/info/lfs/objects/batch", "large_files"),
        ("PUT", r"/stored/(?P<sha256>\w+)", "store"),
        ("GET", rf"{PLAIN}/resolve{REVISION}/(?P<path>.+)", "download"),
        ("GET", rf"{REPO}(?:/revision{REVISION})?", "info"),
        ("GET", rf"{REPO}/tree{REVISION}(?:/(?P<path>.*))?", "tree"),
        ("POST", rf"{REPO}/paths-info{REVISION}", "paths_info"),
        ("POST", rf"{REPO}/preupload{REVISION}", "preupload"),
        ("POST", rf"{REPO}/commit{REVISION}", "commit"),
        ("GET", rf"{REPO}/refs", "list_refs"),
        ("POST", rf"{REPO}/branch{REVISION}", "create_branch"),
        ("POST", rf"{REPO}/tag{REVISION}", "create_tag"),
        ("GET", rf"{REPO}/discussions", "discussions"),
    )

    # --- answering

    def handle_request(self) -> None:
        address = urlsplit(self.path)
        self.query = {key: values[0] for key, values in parse_qs(address.query).items()}
        self.body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.server.requests.append(f"{self.command} {unquote(address.path)}")
        # Not for downloads: a client may ask for the next file before it has read all of the last.
        with self.server.lock if self.command in ("POST", "PUT") else nullcontext():
            try:
                self.route(address.path)
            except Refused as refused:
                headers = {"X-Error-Message": refused.message, "X-Error-Code": refused.code}
                self.answer({"error": refused.message}, status=refused.status, headers=headers)

    do_GET = do_HEAD = do_POST = do_PUT = handle_request

    def route(self, path: str) -> None:
        method = "GET" if self.command == "HEAD" else self.command
        for allowed, pattern, name in self.ROUTES:
            if method == allowed and (match := re.fullmatch(pattern, path)):
                fault = self.server.faults.get(name)
                if fault == "refuse":
                    raise Refused(400, "out of order")
                if fault == "lose the answer":
                    self.answer = lambda *_, **__: None  # type: ignore[method-assign]
                    self.close_connection = True
                getattr(self, name)(
                    **{key: value and unquote(value) for key, value in match.groupdict().items()}
                )
                return
        raise Refused(404, f"no route {self.command} {path}")

    def answer(
        self,
        content: Any,
        *,
        status: int = 200,
        headers: dict[str, str] | None = None,
        raw: bytes | None = None,
    ) -> None:
        body = json.dumps(content).encode() if raw is None else raw
        self.send_response(status)
        for name, value in {"Content-Type": "application/json", **(headers or {})}.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Print nothing."""

    # --- who asks, and for what

    def user(self) -> str | None:
        return self.server.tokens.get((self.headers.get("Authorization") or "").removeprefix("Bearer "))

    def check_owner(self, name: str) -> None:
        if (user := self.user()) is None:
            raise Refused(401, "Invalid username or password.")
        if user != name.split("/")[0]:
            raise Refused(403, f"Forbidden: {user} may not write to {name}")

    def repo(self, kind: str | None, name: str, *, write: bool = False) -> Repo:
        if write:
            self.check_owner(name)
        repo = self.server.repos.get((kind or "model", name))
        if repo is None or (repo.private and self.user() != name.split("/")[0]):
            raise Refused(404 if self.user() else 401, "Repository not found", "RepoNotFound")
        return repo

    # --- repositories

    def create_repo(self) -> None:
        asked = json.loads(self.body)
        name, kind = (
            f"{asked.get('organization') or self.user()}/{asked['name']}",
            asked.get("type") or "model",
        )
        self.check_owner(name)
        url = f"{self.server.url}/{'datasets/' if kind == 'dataset' else ''}{name}"
        if (kind, name) in self.server.repos:
            self.answer({"error": "You already created this repo", "url": url}, status=409)
            return
        private = bool(asked.get("private")) or asked.get("visibility") == "private"
        repo = self.server.repos[kind, name] = Repo(private)
        attributes = "".join(f"{pattern} filter=lfs diff=lfs merge=lfs -text\n" for pattern in LARGE)
        repo.commit("refs/heads/main", "initial commit", {".gitattributes": File(attributes.encode(), False)})
        self.answer({"url": url, "name": name, "id": name})

    def info(self, kind: str, name: str, revision: str | None) -> None:
        repo = self.repo(kind, name)
        sha = repo.resolve(revision or "main")
        siblings = [{"rfilename": path} for path in sorted(repo.files(sha))]
        access = {"private": repo.private, "gated": repo.gated}
        self.answer({"id": name, "sha": sha, **access, "siblings": siblings, "tags": []})

    def list_refs(self, kind: str, name: str) -> None:
        refs = self.repo(kind, name).refs
        self.answer(
            {
                key: [
                    {"name": ref.removeprefix(prefix), "ref": ref, "targetCommit": sha}
                    for ref, sha in refs.items()
                    if ref.startswith(prefix)
                ]
                for key, prefix in (
                    ("branches", "refs/heads/"),
                    ("tags", "refs/tags/"),
                    ("pullRequests", "refs/pr/"),
                    ("converts", "refs/convert/"),
                )
            }
        )

    def create_branch(self, kind: str, name: str, revision: str) -> None:
        start = json.loads(self.body or b"{}").get("startingPoint", "main")
        self.add_ref(self.repo(kind, name, write=True), f"refs/heads/{revision}", start)

    def create_tag(self, kind: str, name: str, revision: str) -> None:
        tag = json.loads(self.body)["tag"]
        self.add_ref(self.repo(kind, name, write=True), f"refs/tags/{tag}", revision)

    def add_ref(self, repo: Repo, ref: str, start: str) -> None:
        if ref in repo.refs:
            raise Refused(409, "Reference already exists")
        repo.refs[ref] = repo.resolve(start)
        self.answer({})

    def discussions(self, kind: str, name: str) -> None:
        found = [
            {
                "num": number,
                "title": title,
                "status": "open",
                "isPullRequest": True,
                "author": {"name": "user"},
                "createdAt": DATE,
                "repo": {"name": name, "type": kind},
            }
            for number, title in enumerate(self.repo(kind, name).pull_requests, start=1)
        ]
        self.answer({"discussions": found, "count": len(found), "start": 0})

    # --- files

    def tree(self, kind: str, name: str, revision: str, path: str | None) -> None:
        files, below = self.repo(kind, name).files(revision), f"{path}/" if path else ""
        found = {key: file for key, file in sorted(files.items()) if key.startswith(below)}
        if below and not found:
            raise Refused(404, f"{path} does not exist", "EntryNotFound")
        recursive = self.query.get("recursive", "").lower() in ("true", "1")
        folders = {key[: match.start()] for key in found for match in re.finditer("/", key)} - {path}
        entries = [
            {"type": "directory", "path": folder, "oid": "0" * 40, "size": 0} for folder in sorted(folders)
        ]
        entries += [{"type": "file", "path": key, **file.description} for key, file in found.items()]
        entries = [entry for entry in entries if entry["path"].startswith(below)]
        self.answer([entry for entry in entries if recursive or "/" not in entry["path"][len(below) :]])

    def paths_info(self, kind: str, name: str, revision: str) -> None:
        files, text = self.repo(kind, name).files(revision), self.body.decode()
        paths = json.loads(text)["paths"] if text.startswith("{") else parse_qs(text)["paths"]
        self.answer(
            [{"type": "file", "path": path, **files[path].description} for path in paths if path in files]
        )

    def download(self, kind: str | None, name: str, revision: str, path: str) -> None:
        repo = self.repo(kind, name)
        if repo.gated and self.user() != name.split("/")[0]:
            raise Refused(403 if self.user() else 401, f"Access to {name} is restricted", "GatedRepo")
        headers = {"X-Repo-Commit": repo.resolve(revision), "Accept-Ranges": "bytes"}
        file = repo.files(revision).get(path)
        if file is None:
            raise Refused(404, "Entry not found", "EntryNotFound")
        etag = file.sha256 if file.large else file.description["oid"]
        headers |= {"ETag": f'"{etag}"', "Content-Type": "application/octet-stream"}
        if file.large:
            headers |= {"X-Linked-Etag": f'"{etag}"', "X-Linked-Size": str(len(file.content))}
        part = re.match(r"bytes=(\d+)-(\d*)", self.headers.get("Range") or "")
        if part is None:
            self.answer(None, raw=file.content, headers=headers)
            return
        first, last = int(part[1]), int(part[2] or len(file.content) - 1)
        chosen = file.content[first : last + 1]
        headers["Content-Range"] = f"bytes {first}-{first + len(chosen) - 1}/{len(file.content)}"
        self.answer(None, raw=chosen, headers=headers, status=206)

    # --- uploads

    def validate_yaml(self) -> None:
        self.answer({"errors": [], "warnings": []})

    def preupload(self, kind: str, name: str, revision: str) -> None:
        files = self.repo(kind, name, write=True).files(revision)
        modes = []
        for asked in json.loads(self.body)["files"]:
            path, known = asked["path"], files.get(asked["path"])
            large = any(fnmatch(path.rpartition("/")[2], pattern) for pattern in LARGE)
            oid = known and (known.sha256 if known.large else known.description["oid"])
            mode = "lfs" if large else "regular"
            modes.append({"path": path, "uploadMode": mode, "shouldIgnore": False, "oid": oid})
        self.answer({"files": modes})

    def large_files(self, kind: str | None, name: str) -> None:
        self.repo(kind, name, write=True)
        objects = json.loads(self.body)["objects"]
        for entry in objects:
            if entry["oid"] not in self.server.stored:
                upload = {"href": f"{self.server.url}/stored/{entry['oid']}", "header": {}}
                entry["actions"] = {"upload": upload}
        self.answer({"transfer": "basic", "objects": objects})

    def store(self, sha256: str) -> None:
        if hashlib.sha256(self.body).hexdigest() != sha256:
            raise Refused(400, "the content has another hash")
        self.server.stored[sha256] = self.body
        self.answer({})

    def commit(self, kind: str, name: str, revision: str) -> None:
        repo = self.repo(kind, name, write=True)
        head, files, title = repo.resolve(revision), dict(repo.files(revision)), ""
        for line in self.body.splitlines():
            key, value = (entry := json.loads(line))["key"], entry["value"]
            if key == "header":
                title = value["summary"]
                if value.get("parentCommit", head) != head:
                    raise Refused(412, "A commit has happened since. Please refresh and try again.")
            elif key == "file":
                files[value["path"]] = File(base64.b64decode(value["content"]), large=False)
            elif key == "lfsFile":
                files[value["path"]] = File(self.server.stored[value["oid"]], large=True)
            elif key == "deletedFile":
                del files[value["path"]]
        place = f"{self.server.url}/{'datasets/' if kind == 'dataset' else ''}{name}"
        more = {}
        ref = f"refs/heads/{revision}"
        if self.query.get("create_pr"):
            repo.pull_requests.append(title)
            number = len(repo.pull_requests)
            ref, more = f"refs/pr/{number}", {"pullRequestUrl": f"{place}/discussions/{number}"}
        sha = repo.commit(ref, title, files)
        self.answer({"success": True, "commitOid": sha, "commitUrl": f"{place}/commit/{sha}", **more})


if __name__ == "__main__":
    with LoopbackHub(int(sys.argv[1])) as hub:
        print(f"HF_ENDPOINT={hub.url} HF_TOKEN=hf_user HF_HUB_DISABLE_XET=1")
        threading.Event().wait()
