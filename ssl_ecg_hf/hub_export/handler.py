"""Custom handler for Inference Endpoints of Hugging Face: recordings in, probabilities out.

It lies in the repository of a classifier. The service installs requirements.txt, makes one
``EndpointHandler`` and calls it with the JSON body of every request, in threads. What it raises becomes
status 400 with ``{"error": message}``.
"""

from __future__ import annotations

import base64
import binascii
import re
import tempfile
import threading
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from transformers import pipeline

MAX_RECORDINGS = 1000  # of a request
MAX_BYTES = 64 << 20  # of a file
MAX_SECONDS = 3600.0  # of a recording
PARAMETERS = ("top_k", "threshold", "return_windows")
FILENAME = re.compile(r"\w[\w .()+-]{0,199}")
STATED = ("sampling_rate", "leads", "unit")
FORMS = (
    "{'signal': one list of numbers per lead, 'sampling_rate': Hz, 'leads': names or 'standard', 'unit': "
    "'mV', 'uV' or 'V'}, {'file': base64, 'filename': name} or, for the header and the data of a WFDB "
    "record, {'files': {name: base64}}"
)


def _check_duration(signal: Any, rate: float | None) -> None:
    """Refuse what lasts too long; a form or a rate that cannot be is left to the feature extractor."""
    leads = signal if isinstance(signal, list) else []
    samples = max((len(lead) for lead in leads if isinstance(lead, list)), default=0)
    if rate is not None and rate > 0 and (duration := samples / rate) > MAX_SECONDS:
        raise ValueError(
            f"the recording lasts {duration / 60:.0f} minutes; {MAX_SECONDS / 60:g} are taken here, use "
            "ssl-ecg predict for longer ones"
        )


def _checked(recording: Any) -> Mapping[str, Any]:
    """One recording of a request with the keys that it must have, and no others."""
    if not isinstance(recording, Mapping):
        raise ValueError(f"a recording is a {type(recording).__name__}; expected {FORMS}")
    needed = {"signal", *STATED}
    if sent := {"file", "filename", "files"} & set(recording):
        needed = {"files"} if "files" in sent else {"file", "filename"}
    given = set(recording)
    if missing := sorted(needed - given):
        raise ValueError(f"{', '.join(missing)} not given; expected {FORMS}")
    if unknown := sorted(map(str, given - needed - set(STATED))):
        raise ValueError(f"unknown key(s) {', '.join(unknown)}; expected {FORMS}")
    rate = recording.get("sampling_rate")
    if rate is not None and (isinstance(rate, bool) or not isinstance(rate, (int, float))):
        raise ValueError(f"sampling_rate is {rate!r}; expected a number in Hz")
    if not isinstance(leads := recording.get("leads"), (list, str, type(None))):
        raise ValueError(f"leads are {leads!r}; expected one name per lead, or 'standard'")
    _check_duration(recording.get("signal"), rate)
    return recording


def _decoded(name: Any, encoded: Any) -> bytes:
    if not isinstance(encoded, str) or not isinstance(name, str) or not FILENAME.fullmatch(name):
        raise ValueError(
            "a file must be sent in base64, with its name without folders, as in a.scp; "
            f"got {type(encoded).__name__} named {name!r:.100}"
        )
    if len(encoded) > MAX_BYTES * 4 // 3 + 4:
        raise ValueError(f"{name} is larger than {MAX_BYTES >> 20} MiB")
    try:
        return base64.b64decode(encoded, validate=True)
    except binascii.Error as error:
        raise ValueError(f"{name} is not base64: {error}") from error


def _read_files(recording: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any], list[str]]:
    """A recording sent as files: the signal with its statement, what was read, and notes of the reader."""
    try:
        from ssl_ecg_hf.data import read_upload
    except ImportError as error:
        raise ValueError(
            "files are read by the package ssl_ecg_hf, which this endpoint does not have: send 'signal' as "
            "lists of numbers, or let whoever released the model export it with --endpoint_requirements "
            "'ssl_ecg_hf[formats] @ git+https://...' and push it again"
        ) from error
    if "file" in recording:
        files = [(recording["filename"], recording["file"])]
    elif isinstance(recording["files"], Mapping):
        files = list(recording["files"].items())
    else:
        raise ValueError(f"'files' is a {type(recording['files']).__name__}; expected {{name: base64}}")
    contents = [(name, _decoded(name, encoded)) for name, encoded in files]
    given = {key: recording[key] for key in STATED if recording.get(key) is not None}
    with tempfile.TemporaryDirectory(prefix="ecg-") as folder:
        for name, content in contents:
            Path(folder, name).write_bytes(content)
        record = read_upload([Path(folder, name) for name, _ in contents], **given)
    stated = {"sampling_rate": record.sampling_rate, "leads": list(record.leads), "unit": "mV"}
    read = stated | {
        "format": record.source.format,
        "unit": record.source.unit,
        "dropped": list(record.source.dropped),
    }
    return {"signal": record.signal, **stated}, read, list(record.source.notes)


class EndpointHandler:
    """Classifies the recordings of requests.

    Args:
        path: folder of the repository; default the one that this file lies in.
    """

    def __init__(self, path: str = "") -> None:
        self.classify = pipeline(
            "ecg-classification",
            model=path or str(Path(__file__).parent),
            trust_remote_code=True,
            device=0 if torch.cuda.is_available() else "cpu",
        )
        # Here and in readers of files, warnings are caught for the whole process.
        self._one_at_a_time = threading.Lock()

    def __call__(self, data: dict[str, Any]) -> list[dict[str, Any]]:
        """Answer a request.

        Args:
            data: ``{"inputs": recording or list of recordings, "parameters": {...}}``. A recording is
                ``{"signal": lists (leads, samples), "sampling_rate": Hz, "leads": names or "standard",
                "unit": "mV", "uV" or "V"}`` or ``{"file": base64, "filename": name}``, or
                ``{"files": {name: base64}}`` for a WFDB record's header and data, with those of the other
                three that the file does not state. Parameters are those of the pipeline: ``top_k``,
                ``threshold``, ``return_windows``.

        Returns:
            Per recording ``{"predictions": what the pipeline gives, "warnings": [text]}``, and for a file
            ``"read"``: its format, sampling rate in Hz, leads, unit, and channels left out.

        Raises:
            ValueError: if something is missing or wrong; in a batch the message names the recording.
        """
        inputs, parameters = data.get("inputs"), data.get("parameters") or {}
        if not isinstance(parameters, Mapping) or set(parameters) - set(PARAMETERS):
            raise ValueError(f"parameters are {parameters!r}; expected a mapping of {', '.join(PARAMETERS)}")
        recordings = inputs if isinstance(inputs, list) else [inputs]
        if not 1 <= len(recordings) <= MAX_RECORDINGS:
            raise ValueError(f"{len(recordings)} recordings; expected 1 to {MAX_RECORDINGS} in a request")
        answers = []
        for number, recording in enumerate(recordings, start=1):
            try:
                answers.append(self._answer(recording, parameters))
            except (TypeError, ValueError) as error:
                where = f"recording {number} of {len(recordings)}: " if len(recordings) > 1 else ""
                raise ValueError(f"{where}{error}") from error
        return answers

    def _answer(self, recording: Any, parameters: Mapping[str, Any]) -> dict[str, Any]:
        recording = _checked(recording)
        answer: dict[str, Any] = {}
        notes: list[str] = []
        with self._one_at_a_time:
            if "signal" not in recording:
                recording, answer["read"], notes = _read_files(recording)
            with warnings.catch_warnings(record=True) as caught:
                warnings.simplefilter("always", UserWarning)
                answer["predictions"] = self.classify(dict(recording), **parameters)
        # Those of other kinds are about code.
        notes += [str(warning.message) for warning in caught if warning.category is UserWarning]
        return answer | {"warnings": notes}
