from __future__ import annotations

import csv
import io
import subprocess
import sys
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

with warnings.catch_warnings():  # wfdb uses pandas in a way that new versions of pandas deprecate
    warnings.simplefilter("ignore", DeprecationWarning)
    import wfdb  # noqa: F401

PTBXL_LEADS = ("I", "II", "III", "AVR", "AVL", "AVF", "V1", "V2", "V3", "V4", "V5", "V6")
SHARED = Path(__file__).resolve().parents[3] / "shared"

SCP_STATEMENTS = """,description,diagnostic,form,rhythm,diagnostic_class,diagnostic_subclass
NDT,non-diagnostic T abnormalities,1.0,1.0,,STTC,STTC
NORM,normal ECG,1.0,,,NORM,NORM
IMI,inferior myocardial infarction,1.0,,,MI,IMI
LVH,left ventricular hypertrophy,1.0,,,HYP,LVH
LAFB,left anterior fascicular block,1.0,,,CD,LAFB/LPFB
DIG,digitalis-effect,1.0,1.0,,STTC,STTC
SR,sinus rhythm,,,1.0,,
ABQRS,abnormal QRS,,1.0,,,
"""


def wfdb_header(name: str, adc: NDArray[np.int16], rate: int, leads: tuple[str, ...] = PTBXL_LEADS) -> str:
    """Header of a format 16 file of ``adc`` (samples, leads) in microvolts, as PTB-XL writes it."""
    sums = adc.astype(np.int64).sum(axis=0) % 65536
    lines = [f"{name} {adc.shape[1]} {rate} {adc.shape[0]}"]
    lines += [
        f"{name}.dat 16 1000.0(0)/mV 16 0 {adc[0, k]} {sums[k]} 0 {lead}" for k, lead in enumerate(leads)
    ]
    return "\n".join(lines) + "\n"


def fake_signal(ecg_id: int, samples: int) -> NDArray[np.int16]:
    """Signal (samples, 12) in microvolts that tells record, lead and time apart."""
    time = np.arange(samples)[:, None]
    lead = np.arange(12)[None, :]
    return (ecg_id * 100 + lead * 7 - time % 50).astype(np.int16)


class FakePtbxl:
    """A tiny PTB-XL in PhysioNet's layout; ecg_id k has fold (k - 1) % 10 + 1 and signal fake_signal(k)."""

    codes = (
        "{'NORM': 100.0, 'SR': 0.0}",
        "{'IMI': 0.0, 'NDT': 50.0}",
        "{'SR': 0.0, 'ABQRS': 0.0}",
        "{'LVH': 100.0, 'LAFB': 100.0}",
    )

    def __init__(self, folder: Path, count: int = 20, rate: int = 100) -> None:
        self.folder, self.rate = folder, rate
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "scp_statements.csv").write_text(SCP_STATEMENTS)
        self.rows = [self._row(ecg_id) for ecg_id in range(1, count + 1)]
        for ecg_id in range(1, count + 1):
            self.write_record(ecg_id, fake_signal(ecg_id, 10 * rate))
        self.write_database()

    def _row(self, ecg_id: int) -> dict[str, str]:
        return {
            "ecg_id": str(ecg_id),
            "patient_id": "" if ecg_id % 7 == 0 else f"{1000 + (ecg_id - 1) % 10}.0",
            "age": "300.0" if ecg_id == 3 else "" if ecg_id == 4 else f"{40 + ecg_id}.0",
            "sex": "" if ecg_id == 5 else str(ecg_id % 2),
            "scp_codes": self.codes[ecg_id % 4],
            "strat_fold": str((ecg_id - 1) % 10 + 1),
            "filename_lr": f"records100/00000/{ecg_id:05d}_lr",
            "filename_hr": f"records500/00000/{ecg_id:05d}_hr",
        }

    def write_database(self) -> None:
        text = io.StringIO()
        writer = csv.DictWriter(text, list(self.rows[0]))
        writer.writeheader()
        writer.writerows(self.rows)
        (self.folder / "ptbxl_database.csv").write_text(text.getvalue())

    def stem(self, ecg_id: int) -> Path:
        return self.folder / self.rows[ecg_id - 1]["filename_lr" if self.rate == 100 else "filename_hr"]

    def write_record(self, ecg_id: int, adc: NDArray[np.int16], header: str | None = None) -> None:
        stem = self.stem(ecg_id)
        stem.parent.mkdir(parents=True, exist_ok=True)
        stem.with_suffix(".dat").write_bytes(adc.astype("<i2").tobytes())
        stem.with_suffix(".hea").write_text(header or wfdb_header(stem.name, adc, self.rate))


@pytest.fixture
def make_ptbxl(tmp_path: Path) -> Callable[..., FakePtbxl]:
    """Write a fake PTB-XL: ``make_ptbxl(count=20, rate=100)``."""

    def make(count: int = 20, rate: int = 100, name: str = "ptb-xl") -> FakePtbxl:
        return FakePtbxl(tmp_path / name, count, rate)

    return make


@pytest.fixture(scope="session")
def real_ptbxl(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The first thousand records of the real PTB-XL, in PhysioNet's layout."""
    tool = SHARED / "tools" / "unpack_ptbxl.py"
    if not tool.is_file():
        pytest.skip("the packed PTB-XL is not beside the repository (../shared)")
    folder = tmp_path_factory.mktemp("real") / "ptb-xl"
    subprocess.run([sys.executable, str(tool), str(folder), "--parts", "1"], check=True, capture_output=True)
    return folder
