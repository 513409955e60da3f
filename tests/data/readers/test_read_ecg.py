from pathlib import Path

import pytest

from ssl_ecg_hf.data import READERS, EcgFormatError, read_ecg


def test_formats() -> None:
    assert sorted(READERS) == [".csv", ".dat", ".hea", ".npy"]


@pytest.mark.parametrize(("name", "shown"), [("a.xyz", "'.xyz'"), ("a", "'a name without suffix'")])
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
