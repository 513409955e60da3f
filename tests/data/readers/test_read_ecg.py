import re
from pathlib import Path

import numpy as np
import pytest

from ssl_ecg_hf.data import READERS, STANDARD_LEADS, EcgFormatError, read_ecg


def test_formats() -> None:
    assert sorted(READERS) == [".csv", ".dat", ".hea", ".npy"]


@pytest.mark.parametrize(("name", "shown"), [("a.xyz", "'.xyz'"), ("a", "a name without suffix")])
def test_unknown_format_lists_the_known_ones(tmp_path: Path, name: str, shown: str) -> None:
    (tmp_path / name).write_text("x")
    with pytest.raises(EcgFormatError, match=rf"no reader for {shown}; expected one of \['.csv'"):
        read_ecg(tmp_path / name)


@pytest.mark.parametrize("suffix", [".csv", ".npy", ".hea", ".dat"])
def test_missing_file(tmp_path: Path, suffix: str) -> None:
    with pytest.raises(EcgFormatError, match="does not exist"):
        read_ecg(tmp_path / f"a{suffix}", sampling_rate=None)


@pytest.mark.parametrize("suffix", [".csv", ".npy", ".hea", ".dat"])
@pytest.mark.parametrize(
    "content", [b"", b"\x00" * 300, b"\x93NUMPY", b"\xff\xfe,1,2\n\x80", b"a,b\n1", b"(" * 5000]
)
def test_hostile_content_is_an_ecg_format_error(tmp_path: Path, suffix: str, content: bytes) -> None:
    (tmp_path / f"a{suffix}").write_bytes(content)
    given = {} if suffix in {".hea", ".dat"} else {"sampling_rate": 100.0, "unit": "mV", "leads": ["I", "II"]}
    with pytest.raises(EcgFormatError):
        read_ecg(tmp_path / f"a{suffix}", **given)  # type: ignore[arg-type]


def test_errors_begin_with_the_path(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("I_mV,I_mV\n1,2\n")
    with pytest.raises(
        EcgFormatError, match=rf"^{re.escape(str(path))}: lead names \['I'\] occur more than once"
    ):
        read_ecg(path, sampling_rate=100)


def test_a_name_without_a_file_is_missing_not_unknown(tmp_path: Path) -> None:
    with pytest.raises(EcgFormatError, match="does not exist; check the path"):
        read_ecg(tmp_path / "record")


def test_standard_stands_for_the_twelve_leads(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", np.ones((12, 5)))
    record = read_ecg(tmp_path / "a.npy", sampling_rate=100, unit="mV", leads="standard")
    assert record.leads == STANDARD_LEADS
    with pytest.raises(EcgFormatError, match="leads='I'; expected a list of names, or 'standard'"):
        read_ecg(tmp_path / "a.npy", sampling_rate=100, unit="mV", leads="I")
