"""`ssl-ecg push`."""

from __future__ import annotations

import argparse
from pathlib import Path


def main(argv: list[str]) -> None:
    """Upload an exported folder to the Hub in one commit (log in first: hf auth login)."""
    parser = argparse.ArgumentParser(prog="ssl-ecg push", description=main.__doc__)
    parser.add_argument("folder", type=Path, help="folder written by ssl-ecg export")
    parser.add_argument("repo_id", help="owner/name")
    parser.add_argument("--private", action="store_true")
    parser.add_argument("--create_pr", action="store_true", help="open a pull request")
    parser.add_argument("--revision", help="branch")
    arguments = parser.parse_args(argv)

    from ssl_ecg_hf.hub_export import push_export

    url = push_export(
        arguments.folder,
        arguments.repo_id,
        private=arguments.private,
        create_pr=arguments.create_pr,
        revision=arguments.revision,
    )
    print(f"pushed: {url}")
