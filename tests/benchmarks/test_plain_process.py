from __future__ import annotations

import math
import os
import time
from functools import partial

import pytest

from benchmarks.plain_process import PlainProcess


def test_a_number_from_another_process_as_often_as_asked() -> None:
    with PlainProcess(partial, os.getpid) as process:
        answers = {process.measure() for _ in range(3)}
    assert len(answers) == 1
    assert answers != {os.getpid()}
    with pytest.raises(ProcessLookupError):
        os.kill(int(answers.pop()), 0)  # it has ended


def test_an_error_comes_with_its_traceback() -> None:
    with (
        PlainProcess(partial, math.sqrt, -1.0) as process,
        pytest.raises(RuntimeError, match=r"the process of a baseline failed:\nTraceback[\s\S]*ValueError"),
    ):
        process.measure()


def test_an_error_in_the_preparation() -> None:
    with (
        pytest.raises(RuntimeError, match="TypeError"),
        PlainProcess(partial),
    ):
        pass


def test_a_process_that_dies() -> None:
    with (
        PlainProcess(partial, os._exit, 3) as process,
        pytest.raises(RuntimeError, match="ended with exit code 3"),
    ):
        process.measure()


def test_a_process_that_is_busy_is_ended() -> None:
    begun = time.monotonic()
    with PlainProcess(partial, time.sleep, 60.0) as process:
        process._connection.send("measure")
    assert time.monotonic() - begun < 30
