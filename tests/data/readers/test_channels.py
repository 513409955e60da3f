from __future__ import annotations

import pytest

from ssl_ecg_hf.data import EcgFormatError
from ssl_ecg_hf.data.readers.channels import Clock, recorded_together

FAST, SLOW, LATER = Clock(500, 5000), Clock(125, 1250), Clock(500, 5000, "later")


@pytest.mark.parametrize(
    ("names", "units", "clocks", "kept"),
    [
        (["I", "V1"], ["mV", "uV"], [FAST, FAST], [0, 1]),
        (["Resp", "I", "V1"], ["mV", "mV", "mV"], [SLOW, FAST, FAST], [1, 2]),
        (["I", "EEG", "Flow"], [None, None, "l/s"], [FAST, FAST, FAST], [0, 1]),
        (["I", "EEG"], ["mV", "mV"], [FAST, LATER], [0]),
        (["ES", "AS", "ABP"], ["mV", "mV", "mmHg"], [SLOW, SLOW, FAST], [0, 1]),
    ],
)
def test_the_voltages_beside_the_leads_are_the_recording(
    names: list[str], units: list[str | None], clocks: list[Clock], kept: list[int]
) -> None:
    assert recorded_together(names, units, clocks) == kept


@pytest.mark.parametrize(
    ("names", "clocks", "message"),
    [
        (
            ["I", "II"],
            [FAST, SLOW],
            r"I: 5000 samples at 500 Hz; II: 1250 samples at 125 Hz\); export them as",
        ),
        (["I", "II"], [FAST, LATER], "not recorded at the same time and rate"),
        (["ES", "AS"], [FAST, SLOW], "not recorded at the same time and rate"),
        (["I", "II"], [Clock(500, 0), Clock(500, 0)], "the leads hold no samples"),
    ],
)
def test_what_is_no_recording_is_refused(names: list[str], clocks: list[Clock], message: str) -> None:
    with pytest.raises(EcgFormatError, match=message):
        recorded_together(names, ["mV", "mV"], clocks)
