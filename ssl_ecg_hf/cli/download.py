"""`ssl-ecg download`."""

from __future__ import annotations

import argparse
from pathlib import Path


def main(argv: list[str]) -> None:
    """Download a public database of recordings."""
    parser = argparse.ArgumentParser(prog="ssl-ecg download", description="Download PTB-XL from PhysioNet.")
    parser.add_argument("database", choices=["ptbxl"])
    parser.add_argument("destination", type=Path)
    parser.add_argument("--sampling_rate", type=int, default=100, choices=[100, 500], help="Hz")
    arguments = parser.parse_args(argv)

    from ssl_ecg_hf.data.download import download_ptbxl

    print(f"PTB-XL: {download_ptbxl(arguments.destination, sampling_rate=arguments.sampling_rate)}")
