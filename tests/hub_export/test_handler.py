from __future__ import annotations

import base64
import json
import os
import shutil
import subprocess
import sys
import time
import urllib.error
import urllib.request
import warnings
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import wfdb

from ssl_ecg_hf.data import STANDARD_LEADS, read_upload, upload
from ssl_ecg_hf.data.labels import SUPERCLASSES
from ssl_ecg_hf.hub_export.endpoint import requirements_text
from ssl_ecg_hf.hub_export.handler import MAX_SECONDS, EndpointHandler
from ssl_ecg_hf.space.analysis import analyse, load_classify

SERVICE = Path(__file__).with_name("endpoint_service.py")
Ask = Callable[..., tuple[int, Any]]


def signal(leads: int = 12, samples: int = 1000) -> list[list[float]]:
    return np.random.default_rng(0).normal(0, 0.5, (leads, samples)).round(3).tolist()


def recording(**changed: Any) -> dict[str, Any]:
    return {"signal": signal(), "sampling_rate": 100, "leads": "standard", "unit": "mV"} | changed


def as_file(path: Path, **stated: Any) -> dict[str, Any]:
    return {"file": base64.b64encode(path.read_bytes()).decode(), "filename": path.name, **stated}


@contextmanager
def service(folder: Path) -> Iterator[Ask]:
    log = folder.parent / "stderr.txt"
    with log.open("w") as stderr:
        process = subprocess.Popen(
            [sys.executable, "-I", str(SERVICE), str(folder)],
            cwd=folder.parent,
            env={
                **os.environ,
                "HF_HUB_OFFLINE": "1",
                "HF_HOME": str(folder.parent / "hf"),
                "HF_MODULES_CACHE": str(folder.parent / "modules"),
                "OMP_NUM_THREADS": "1",
            },
            stdout=subprocess.PIPE,
            stderr=stderr,
            text=True,
        )
    try:
        assert process.stdout is not None
        port = process.stdout.readline().strip()
        assert port, log.read_text()

        def ask(inputs: Any, **rest: Any) -> tuple[int, Any]:
            body = json.dumps({"inputs": inputs, **rest}).encode()
            request = urllib.request.Request(f"http://127.0.0.1:{port}/", body)
            try:
                with urllib.request.urlopen(request, timeout=60) as answer:
                    return answer.status, json.load(answer)
            except urllib.error.HTTPError as error:
                with error:
                    return error.code, json.load(error)

        yield ask
    finally:
        process.terminate()
        process.wait(timeout=30)
        assert process.stdout is not None
        process.stdout.close()


@pytest.fixture(scope="module")
def release(classifier_export: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy: Python leaves byte code beside a handler."""
    return shutil.copytree(classifier_export, tmp_path_factory.mktemp("served") / "release")


@pytest.fixture(scope="module")
def ask(release: Path) -> Iterator[Ask]:
    """The service on a machine that has only the repository."""
    with service(release) as asking:
        yield asking


@pytest.fixture(scope="module")
def handler(release: Path) -> EndpointHandler:
    """The handler in this process, which has the package."""
    return EndpointHandler(str(release))


@pytest.mark.slow
def test_served_from_the_repository_alone_it_gives_what_the_model_gives(
    ask: Ask, release: Path, tmp_path: Path
) -> None:
    np.save(tmp_path / "a.npy", np.array(signal(), dtype=np.float32))
    stated = {"sampling_rate": 100.0, "leads": "standard", "unit": "mV"}
    expected = analyse(load_classify(release), read_upload([tmp_path / "a.npy"], **stated))
    status, answers = ask(recording())
    assert status == 200
    assert [entry["label"] for entry in answers[0]["predictions"]] == list(SUPERCLASSES)
    for entry, finding in zip(answers[0]["predictions"], expected.findings, strict=True):
        assert entry["score"] == pytest.approx(finding.probability, abs=1e-6)
        assert entry["positive"] is finding.positive
    assert answers[0]["warnings"] == []

    status, batch = ask([recording(), recording(unit="uV", signal=(1000 * np.array(signal())).tolist())] * 2)
    assert (status, len(batch)) == (200, 4)
    for answer in batch:
        scores = [entry["score"] for entry in answer["predictions"]]
        first = [entry["score"] for entry in answers[0]["predictions"]]
        assert scores == pytest.approx(first, abs=1e-5)

    status, (top,) = ask(recording(), parameters={"top_k": 1, "threshold": 0.0})
    assert status == 200
    assert [entry["positive"] for entry in top["predictions"]] == [True]


@pytest.mark.slow
def test_requests_at_the_same_time_keep_their_warnings_apart(ask: Ask) -> None:
    some = [recording(), recording(signal=signal(2), leads=["I", "II"])]
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(ask, some * 8))
    for (status, (answer,)), sent in zip(answers, some * 8, strict=True):
        assert status == 200
        assert len(answer["warnings"]) == (1 if len(sent["signal"]) == 2 else 0)
        if answer["warnings"]:
            assert "V1, V2, V3, V4, V5, V6 missing" in answer["warnings"][0]


def test_files_at_the_same_time_keep_their_warnings_apart(
    handler: EndpointHandler, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def read_slowly(*arguments: Any, **stated: Any) -> Any:
        with warnings.catch_warnings():  # as some readers do; it is meant for one thread
            warnings.simplefilter("ignore")
            time.sleep(0.01)
            return read_upload(*arguments, **stated)

    classify = handler.classify

    def classify_slowly(*arguments: Any, **parameters: Any) -> Any:
        time.sleep(0.01)
        return classify(*arguments, **parameters)

    monkeypatch.setattr("ssl_ecg_hf.data.read_upload", read_slowly)
    monkeypatch.setattr(handler, "classify", classify_slowly)
    some = []
    for names in (["I", "II"], ["I", "II", "V1"]):
        np.save(tmp_path / f"{len(names)}.npy", np.array(signal(len(names))))
        file = as_file(tmp_path / f"{len(names)}.npy", sampling_rate=100, leads=names, unit="mV")
        some += [file, recording(signal=signal(len(names)), leads=names), recording()]
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda sent: handler({"inputs": sent}), some * 8))
    missing = {2: "V1, V2, V3, V4, V5, V6 missing", 3: " V2, V3, V4, V5, V6 missing"}
    for (answer,), sent in zip(answers, some * 8, strict=True):
        if sent["leads"] == "standard":
            assert answer["warnings"] == []
        else:
            (warning,) = answer["warnings"]
            assert missing[len(sent["leads"])] in warning


@pytest.mark.slow
def test_files_need_the_package(ask: Ask, tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", np.array(signal()))
    status, answer = ask(as_file(tmp_path / "a.npy", sampling_rate=100, leads="standard", unit="mV"))
    assert status == 400
    assert "export it with --endpoint_requirements 'ssl_ecg_hf[formats] @" in answer["error"]


@pytest.mark.parametrize(
    ("inputs", "message"),
    [
        (None, "a recording is a NoneType; expected {'signal'"),
        ([], "0 recordings; expected 1 to 1000"),
        ("ecg.scp", "a recording is a str"),
        ({"signal": [[0.0]]}, "leads, sampling_rate, unit not given"),
        (recording(patient="x"), "unknown key(s) patient"),
        (recording(sampling_rate="100"), "sampling_rate is '100'; expected a number"),
        (recording(sampling_rate=True), "sampling_rate is True"),
        (recording(sampling_rate=-5), "-5"),
        (recording(sampling_rate=0), "sampling_rate=0 is not a positive"),
        (recording(sampling_rate=float("nan")), "sampling_rate=nan is not a positive"),
        (recording(sampling_rate=1e-320), "the recording lasts inf minutes; 60 are taken here"),
        (recording(signal=[[0.0] * 1000, [0.0] * 360_001]), "the recording lasts 60 minutes; 60 are"),
        (recording(leads=["I", "II"]), "signal has 12 rows"),
        (recording(leads=7), "leads are 7; expected one name per lead"),
        (recording(unit="kV"), "kV"),
        (recording(signal=np.array(signal()).T.tolist()), "pass signal.T"),
        (recording(signal=[[1.0, 2.0], [3.0]]), "leads of a recording differ in length"),
        (recording(signal=[[None] * 1000] * 12), "dtype object"),
        (recording(signal="text"), "signal"),
        (recording(signal=[signal(), signal()]), "recording"),
        (recording(signal=(1000 * np.array(signal())).tolist()), "uV stated as mV"),
        ([recording(), recording(unit="kV")], "recording 2 of 2: "),
        ({"file": "AAAA"}, "filename not given"),
        ({"file": "!!", "filename": "a.scp"}, "not base64"),
        ({"file": "AAAA", "filename": "../a.scp"}, "name without folders"),
        ({"file": "AAAA", "filename": ".."}, "name without folders"),
        ({"file": 7, "filename": "a.scp"}, "sent in base64, with its name"),
        ({"file": ["AAAA"], "filename": ["a.scp"]}, "list named ['a.scp']"),
        ({"files": ["AAAA"]}, "'files' is a list; expected {name: base64}"),
        ({"files": {}}, "there is no file"),
        ({"files": {"a.dat": "AAAA", "b.dat": "AAAA"}}, "2 files (a.dat, b.dat) with 0 WFDB headers"),
        ({"files": {"../a.hea": "AAAA"}}, "name without folders"),
        ({"files": {"a.hea": "AAAA"}, "filename": "a.hea"}, "unknown key(s) filename"),
        ({"file": base64.b64encode(bytes(100)).decode(), "filename": "a.scp"}, "a.scp: "),
    ],
)
def test_bad_requests_say_what_is_wrong(handler: EndpointHandler, inputs: Any, message: str) -> None:
    with pytest.raises(ValueError) as caught:  # noqa: PT011  (the message is compared below)
        handler({"inputs": inputs})
    assert message in str(caught.value)
    assert "/tmp" not in str(caught.value)


@pytest.mark.parametrize("parameters", [{"batch": 2}, ["top_k"], {"top_k": "many"}, {"threshold": [0.5]}])
def test_bad_parameters(handler: EndpointHandler, parameters: Any) -> None:
    with pytest.raises(ValueError, match=r"parameters are|slice|1 thresholds for 5 labels"):
        handler({"inputs": recording(), "parameters": parameters})


def test_a_file_is_read_as_ssl_ecg_predict_reads_it(handler: EndpointHandler, tmp_path: Path) -> None:
    header = ",".join(["time_s", *(f"{lead}_uV" for lead in STANDARD_LEADS[:2])])
    rows = np.vstack([np.arange(1000) / 100, 1000 * np.array(signal(2))]).T
    np.savetxt(tmp_path / "a.csv", rows, delimiter=",", header=header, comments="")
    (answer,) = handler({"inputs": as_file(tmp_path / "a.csv")})
    assert answer["read"] == {
        "format": "text table",
        "sampling_rate": 100.0,
        "leads": ["I", "II"],
        "unit": "uV",
        "dropped": [],
    }
    assert len(answer["warnings"]) == 1
    (direct,) = handler({"inputs": recording(signal=signal(2), leads=["I", "II"])})
    for one, other in zip(answer["predictions"], direct["predictions"], strict=True):
        assert one["score"] == pytest.approx(other["score"], abs=1e-6)


def test_an_hour_is_the_longest_whichever_way_it_is_sent(handler: EndpointHandler, tmp_path: Path) -> None:
    long = [[0.0] * (3660 * 100)] * 12
    said = r"^the recording lasts 61 minutes; 60 are taken here, use ssl-ecg predict for longer ones$"
    with pytest.raises(ValueError, match=said):
        handler({"inputs": recording(signal=long)})
    np.save(tmp_path / "a.npy", np.array(long[:1], dtype=np.float32))
    with pytest.raises(ValueError, match=said):
        handler({"inputs": as_file(tmp_path / "a.npy", sampling_rate=100, leads=["II"], unit="mV")})
    assert MAX_SECONDS == upload.MAX_SECONDS == 3600


def test_header_and_data_of_a_wfdb_record(handler: EndpointHandler, tmp_path: Path) -> None:
    values = np.array(signal())
    wfdb.wrsamp(
        "rec", 100, ["mV"] * 12, list(STANDARD_LEADS), values.T, fmt=["16"] * 12, write_dir=str(tmp_path)
    )
    files = {path.name: base64.b64encode(path.read_bytes()).decode() for path in tmp_path.iterdir()}
    (answer,) = handler({"inputs": {"files": files}})
    assert answer["read"]["format"] == "WFDB"
    (direct,) = handler({"inputs": recording()})
    for one, other in zip(answer["predictions"], direct["predictions"], strict=True):
        assert one["score"] == pytest.approx(other["score"], abs=1e-3)
    with pytest.raises(ValueError, match=r"^rec\.hea: .*rec\.dat"):
        handler({"inputs": {"files": {"rec.hea": files["rec.hea"]}}})


def test_long_recordings_are_averaged_over_windows(handler: EndpointHandler) -> None:
    (answer,) = handler(
        {"inputs": recording(signal=signal(samples=2500)), "parameters": {"return_windows": True}}
    )
    assert {entry["windows"] for entry in answer["predictions"]} == {4}
    assert {len(entry["window_scores"]) for entry in answer["predictions"]} == {4}


def test_requirements_are_those_of_the_remote_code() -> None:
    names = [line.split(">=")[0] for line in requirements_text().splitlines() if not line.startswith("#")]
    assert sorted(names) == ["huggingface-hub", "numpy", "safetensors", "torch", "transformers"]
