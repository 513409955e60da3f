"""From any ECG array to the input of an SSL-ECG model: unit, lead order, sampling rate and length."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from numbers import Real
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from transformers import BatchFeature, FeatureExtractionMixin

from .configuration_ssl_ecg import STANDARD_LEADS, SslEcgConfig
from .limb_leads_ssl_ecg import LIMB_LEADS, derive_limb_lead
from .resampling_ssl_ecg import resample, resampled_length
from .windows_ssl_ecg import pad_to_window, window_starts

# Unicode has two signs for micro: U+00B5 and U+03BC.
MILLIVOLTS: dict[str, float] = {"mV": 1.0, "uV": 1e-3, "\u00b5V": 1e-3, "\u03bcV": 1e-3, "V": 1e3}
HUGE = 1e30  # beyond, a number is no measurement in any unit, and float32 is near its end
MIN_SECONDS = 1.0  # a shorter recording may hold no whole beat
MIN_AMPLITUDE, MAX_AMPLITUDE = 0.02, 20.0  # mV
MIN_RATE = 25.0  # Hz; below, a QRS complex is a sample or two, and the number is most likely in another unit
MAX_RATE = 100_000.0  # Hz; far above any electrocardiograph, the number is most likely in another unit
MAX_MISFIT = 0.1  # share of the window that a recording may be too short or too long without a warning
STATED_AS: dict[float, str] = {  # what the numbers must be multiplied by, and which mistake that undoes
    1e-6: "uV stated as V",
    1e-3: "uV stated as mV or mV stated as V",
    1e3: "mV stated as uV or V stated as mV",
    1e6: "V stated as uV",
}

Signal = NDArray[Any] | torch.Tensor | Sequence[Any]


def _as_array(signal: Any) -> NDArray[np.float64]:
    """One recording as a float64 array of shape (leads, samples)."""
    try:
        array = np.asarray(signal.detach().cpu() if isinstance(signal, torch.Tensor) else signal)
    except ValueError as error:
        raise ValueError(
            "the leads of a recording differ in length; expected shape (leads, samples)"
        ) from error
    if array.dtype.kind not in "iuf":
        raise ValueError(f"signal has dtype {array.dtype}; expected real numbers (integers or floats)")
    if array.ndim != 2:
        raise ValueError(
            f"a recording has shape {array.shape}; expected (leads, samples), for a single lead (1, samples)"
        )
    return array.astype(np.float64)


def _split_batch(signal: Signal) -> list[NDArray[np.float64]]:
    """The recordings of a batch, or the one recording, each of shape (leads, samples)."""
    if isinstance(signal, (np.ndarray, torch.Tensor)):
        recordings = list(signal) if signal.ndim == 3 else [signal]
    elif isinstance(signal, (list, tuple)):
        is_batch = len(signal) == 0 or np.ndim(signal[0]) != 1
        recordings = list(signal) if is_batch else [signal]
    else:
        raise ValueError(
            f"signal is a {type(signal).__name__}; expected an array or tensor of shape (leads, samples) or "
            "(batch, leads, samples), or a list of arrays of shape (leads, samples)"
        )
    if not recordings:
        raise ValueError("signal holds no recording")
    return [_as_array(recording) for recording in recordings]


def _lead_names(leads: Sequence[str] | str) -> list[str]:
    """The names in standard spelling; ``"standard"`` stands for the twelve leads in the usual order."""
    if isinstance(leads, str):
        if leads != "standard":
            raise ValueError(
                f"leads={leads!r}; pass one name per row of the signal, e.g. ['I', 'II', 'V1'], or "
                f"'standard' for the order {', '.join(STANDARD_LEADS)}"
            )
        return list(STANDARD_LEADS)
    if not all(isinstance(name, str) for name in leads):
        raise ValueError(f"leads={list(leads)!r}; pass names, e.g. ['I', 'II', 'V1']")
    spelling = {name.upper(): name for name in STANDARD_LEADS}
    names = [spelling.get(name.strip().upper(), name.strip()) for name in leads]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise ValueError(f"lead names {twice} occur more than once in {names}; every row needs its own name")
    return names


def _spelt_as(model_leads: Sequence[str], names: Sequence[str]) -> list[str]:
    """The names, with those that differ in case alone from a lead of the model spelt as there.

    A name stays as it is where case tells it from another one of the recording, or two leads of the model.
    """
    upper = [name.upper() for name in names]
    spelling: dict[str, list[str]] = {}
    for lead in model_leads:
        spelling.setdefault(lead.upper(), []).append(lead)
    return [
        spelling[key][0] if len(spelling.get(key, ())) == upper.count(key) == 1 else name
        for name, key in zip(names, upper, strict=True)
    ]


def _check_shape(signal: NDArray[np.float64], *, names: Sequence[str], sampling_rate: float) -> None:
    num_leads, num_samples = signal.shape
    if num_leads != len(names):
        hint = "; it looks like (samples, leads): pass signal.T" if num_samples == len(names) else ""
        raise ValueError(
            f"signal has {num_leads} rows (shape {signal.shape}) but {len(names)} lead names were given; "
            f"expected (leads, samples) with one name per row{hint}"
        )
    if num_samples < MIN_SECONDS * sampling_rate:
        raise ValueError(
            f"signal has {num_samples} samples at {sampling_rate:g} Hz, {num_samples / sampling_rate:.3g} s; "
            f"expected at least {MIN_SECONDS:g} s: check that the shape {signal.shape} is (leads, samples) "
            "and that sampling_rate is that of the recording"
        )


def _is_flat(signal: NDArray[np.float64]) -> NDArray[np.bool_]:
    return np.ptp(signal, axis=-1) == 0.0


def check_amplitude(
    signal: NDArray[np.floating[Any]], *, smallest: float = MIN_AMPLITUDE, largest: float = MAX_AMPLITUDE
) -> None:
    """Refuse a signal, in mV by the declared unit, whose size says that the unit is another one.

    The size is the 99th percentile of a lead's distance from its median, and of the leads the median one, so
    that neither a spike nor one bad lead decides. In PTB-XL it lies between 0.2 and 2.4 mV.

    Args:
        signal: shape (leads, samples) in mV, leads of one or of many recordings.
        smallest: plausible size in mV.
        largest: plausible size in mV, also of the distance from zero.

    Raises:
        ValueError: if the size or the distance from zero is not plausible.
    """
    middle = np.median(signal, axis=1, keepdims=True)
    size = float(np.median(np.percentile(np.abs(signal - middle), 99.0, axis=1)))
    if not smallest <= size <= largest:
        fitting = [mistake for factor, mistake in STATED_AS.items() if smallest <= factor * size <= largest]
        advice = f"it looks like {' or '.join(fitting)}" if fitting else "no usual unit fits"
        raise ValueError(
            f"the signal has an amplitude of {size:.4g} mV by its stated unit; an ECG lies between "
            f"{smallest:g} and {largest:g} mV: {advice}. State the unit of the numbers (divide raw ADC "
            "counts by the gain first)"
        )
    if (offset := float(np.median(np.abs(middle)))) > largest:
        raise ValueError(
            f"the leads lie {offset:.4g} mV away from zero (median over the leads), an electrode offset or "
            "an ADC baseline; subtract it, e.g. signal - numpy.median(signal, axis=1, keepdims=True)"
        )


class SslEcgFeatureExtractor(FeatureExtractionMixin):
    """Prepares ECG recordings of any unit, lead order, sampling rate and length for an SSL-ECG model.

    Nothing is guessed: the caller states sampling rate, lead names and unit. Leads are matched by name,
    in any order and, where it tells no two leads apart, in any case; leads the model does not know are
    dropped. A missing limb lead is computed from two others (Einthoven, Goldberger). A lead that cannot be
    computed, a flat one and one without any finite sample carry no information: they become zero,
    ``lead_mask`` is False for them and a warning names them. Voltages are kept: there is neither filter nor
    normalisation here (the latter is part of the model).

    Args:
        leads: names of the leads of the model, in its order; default the 12 standard leads.
        sampling_rate: sampling rate of the model in Hz.
        num_samples: length of the model's window; longer recordings are cropped around their centre, unless a
            call asks for all their windows, shorter ones are padded with zeros on the right (with a warning
            if they differ by more than a tenth of it).
        nan_policy: what to do with NaN and infinite samples: ``"raise"``, ``"interpolate"`` (linearly within
            the lead) or ``"zero"``.
        missing_leads: what to do with leads without information: ``"mask"`` or ``"raise"``.
        min_amplitude_mv: smallest plausible amplitude in mV, see below.
        max_amplitude_mv: largest plausible amplitude in mV.

    Raises:
        ValueError: if a setting is not one of those above. A call raises it where the unit cannot be right:
            where the amplitude (99th percentile of the distance from the baseline, median over the leads) is
            outside ``min_amplitude_mv`` to ``max_amplitude_mv``.

    Example:
        >>> extractor = SslEcgFeatureExtractor()
        >>> ecg = 400.0 * np.sin(np.arange(2 * 5000).reshape(2, 5000) / 50.0)
        >>> with warnings.catch_warnings():
        ...     warnings.simplefilter("ignore")  # V1..V6 are missing
        ...     features = extractor(ecg, sampling_rate=500, leads=["II", "I"], unit="uV")
        >>> features["input_values"].shape, int(features["lead_mask"].sum())
        ((1, 12, 1000), 6)
    """

    model_input_names: list[str] = ["input_values", "lead_mask"]  # noqa: RUF012  (as in every feature extractor)
    padding_value = 0.0  # read by Pipeline when it collates a batch

    def __init__(
        self,
        leads: Sequence[str] = STANDARD_LEADS,
        sampling_rate: float = 100.0,
        *,
        num_samples: int = 1000,
        nan_policy: Literal["raise", "interpolate", "zero"] = "raise",
        missing_leads: Literal["mask", "raise"] = "mask",
        min_amplitude_mv: float = MIN_AMPLITUDE,
        max_amplitude_mv: float = MAX_AMPLITUDE,
        **kwargs: Any,
    ) -> None:
        self.leads = _lead_names(leads)
        self.sampling_rate = sampling_rate
        self.num_samples = num_samples
        self.nan_policy = nan_policy
        self.missing_leads = missing_leads
        self.min_amplitude_mv = min_amplitude_mv
        self.max_amplitude_mv = max_amplitude_mv
        if not self.leads:
            raise ValueError("leads is empty; name at least one lead")
        if not sampling_rate > 0 or not num_samples > 0:
            raise ValueError(
                f"sampling_rate={sampling_rate!r} Hz and num_samples={num_samples!r} must be positive"
            )
        if nan_policy not in ("raise", "interpolate", "zero"):
            raise ValueError(f"nan_policy={nan_policy!r}; expected 'raise', 'interpolate' or 'zero'")
        if missing_leads not in ("mask", "raise"):
            raise ValueError(f"missing_leads={missing_leads!r}; expected 'mask' or 'raise'")
        super().__init__(**kwargs)

    @classmethod
    def for_model(cls, config: SslEcgConfig) -> SslEcgFeatureExtractor:
        """Return the extractor that produces what a model with this configuration takes."""
        return cls(config.leads, config.sampling_rate, num_samples=config.num_samples)

    def __call__(
        self,
        signal: Signal,
        *,
        sampling_rate: float | None = None,
        leads: Sequence[str] | str | None = None,
        unit: str | None = None,
        long_recordings: Literal["crop", "windows"] = "crop",
        return_tensors: str | None = None,
    ) -> BatchFeature:
        """Prepare one recording or a batch of recordings that share sampling rate, leads and unit.

        Args:
            signal: array or tensor of shape (leads, samples) or (batch, leads, samples), or a list of
                recordings of shape (leads, samples), which may differ in length.
            sampling_rate: of the recordings, in Hz. Required.
            leads: one name per row of a recording, or ``"standard"`` for I, II, III, aVR, aVL, aVF, V1..V6.
                Required.
            unit: of the numbers in ``signal``: "mV", "uV" (also "µV") or "V". Required.
            long_recordings: what is done to a recording longer than the model's window: ``"crop"`` keeps its
                middle, ``"windows"`` divides it into windows that overlap by half and cover all of it. These
                come in place of the batch, so only one recording can be prepared at once: average the
                model's logits, or embeddings, over the first axis. (The pipeline does this by itself.)
            return_tensors: "pt" for tensors; default NumPy arrays.

        Returns:
            ``input_values``, float32 of shape (batch or windows, leads, samples) in mV, and ``lead_mask``,
            bool of shape (batch or windows, leads), True where the lead was measured or computed from two
            others.

        Raises:
            ValueError: if something is not stated, or the statement does not fit the signal.
        """
        if long_recordings not in ("crop", "windows"):
            raise ValueError(f"long_recordings={long_recordings!r}; expected 'crop' or 'windows'")
        if sampling_rate is None or leads is None or unit is None:
            given = {"sampling_rate": sampling_rate, "leads": leads, "unit": unit}
            absent = ", ".join(name for name, value in given.items() if value is None)
            raise ValueError(
                f"{absent} not given; state how the recording was made: sampling_rate in Hz, leads as one "
                "name per row (or 'standard' for I, II, III, aVR, aVL, aVF, V1..V6 in this order) and unit "
                "as 'mV', 'uV' or 'V'"
            )
        if unit not in MILLIVOLTS:
            raise ValueError(f"unit={unit!r}; expected one of 'mV', 'uV', 'µV', 'V'")
        if not (isinstance(sampling_rate, Real) and np.isfinite(sampling_rate) and sampling_rate > 0):
            raise ValueError(
                f"sampling_rate={sampling_rate!r} is not a positive number of samples per second"
            )
        if sampling_rate < min(MIN_RATE, self.sampling_rate):
            raise ValueError(
                f"sampling_rate={sampling_rate:g} Hz is too low for an ECG; expected at least "
                f"{MIN_RATE:g} Hz: state samples per second, and times in seconds"
            )
        if sampling_rate > max(MAX_RATE, self.sampling_rate):
            raise ValueError(
                f"sampling_rate={sampling_rate:g} Hz is too high for an ECG; expected at most "
                f"{MAX_RATE:g} Hz: state samples per second"
            )
        names = _spelt_as(self.leads, _lead_names(leads))
        recordings = _split_batch(signal)
        whole = long_recordings == "windows"
        if whole and len(recordings) > 1:
            raise ValueError(
                f"long_recordings='windows' was given {len(recordings)} recordings, whose windows could not "
                "be told apart; prepare one at a time, or use the pipeline"
            )
        prepared = []
        for recording in recordings:  # no comprehension: warnings point `stacklevel` frames up
            prepared.append(
                self._prepare(
                    recording, names=names, sampling_rate=float(sampling_rate), unit=unit, whole=whole
                )
            )
        batch = {
            "input_values": np.concatenate([windows for windows, _ in prepared]),
            "lead_mask": np.stack([mask for windows, mask in prepared for _ in windows]),
        }
        return BatchFeature(batch, tensor_type=return_tensors)

    def _prepare(
        self,
        signal: NDArray[np.float64],
        *,
        names: Sequence[str],
        sampling_rate: float,
        unit: str,
        whole: bool,
    ) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
        """One recording as windows (count, leads, samples), and which leads are known, (leads,)."""
        _check_shape(signal, names=names, sampling_rate=sampling_rate)
        measured = self._measured_leads(signal, names=names)
        in_mv = np.stack(list(measured.values())) * MILLIVOLTS[unit]
        check_amplitude(in_mv, smallest=self.min_amplitude_mv, largest=self.max_amplitude_mv)
        ordered, present = self._order_leads(dict(zip(measured, in_mv, strict=True)), names=names)
        if whole and resampled_length(signal.shape[1], sampling_rate, self.sampling_rate) > self.num_samples:
            return self._all_windows(ordered, sampling_rate=sampling_rate), present
        return self._fit_window(ordered, sampling_rate=sampling_rate)[None], present

    def _measured_leads(
        self, signal: NDArray[np.float64], *, names: Sequence[str]
    ) -> dict[str, NDArray[np.float64]]:
        """The rows that are of use and carry a signal, by standard lead name, without NaN."""
        rows = {name: row for row, name in enumerate(names) if name in self.leads or name in LIMB_LEADS}
        kept = {name: self._finite(name, signal[row]) for name, row in rows.items()}
        measured = {name: lead for name, lead in kept.items() if not _is_flat(lead)}
        if not measured:
            reason = f"lead(s) {', '.join(rows)} are flat" if rows else "no lead of the model is among them"
            raise ValueError(f"no signal in a recording with {', '.join(names)}: {reason}")
        return measured

    def _finite(self, name: str, lead: NDArray[np.float64]) -> NDArray[np.float64]:
        finite = np.abs(lead) < HUGE
        if finite.all():
            return lead
        if self.nan_policy == "raise":
            raise ValueError(
                f"lead {name} has {int((~finite).sum())} NaN or infinite of {lead.size} samples; repair the "
                "recording, or set nan_policy to 'interpolate' or 'zero'"
            )
        if self.nan_policy == "zero" or not finite.any():
            return np.where(finite, lead, 0.0)
        return np.interp(np.arange(lead.size), np.flatnonzero(finite), lead[finite])

    def _order_leads(
        self, measured: dict[str, NDArray[np.float64]], *, names: Sequence[str]
    ) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
        """The model's leads in its order, (leads, samples), and which of them are known, (leads,)."""
        known = dict(measured)
        # A flat lead is a loose electrode: what it would have shown is not ours to make up.
        for name in set(self.leads) - set(names):
            if (derived := derive_limb_lead(name, measured)) is not None:
                known[name] = derived
        unknown = [name for name in self.leads if name not in known]
        if unknown:
            message = f"lead(s) {', '.join(unknown)} missing or flat in a recording with {', '.join(names)}"
            if len(unknown) == len(self.leads):
                raise ValueError(f"{message}; there is nothing left for the model to see")
            if self.missing_leads == "raise":
                raise ValueError(f"{message}; record them, or set missing_leads='mask' to go on without")
            warnings.warn(f"{message}; they are masked", stacklevel=4)
        absent = np.zeros(next(iter(measured.values())).size)
        ordered = np.stack([known.get(name, absent) for name in self.leads])
        return ordered, np.array([name in known for name in self.leads])

    def _fit_window(self, signal: NDArray[np.float64], *, sampling_rate: float) -> NDArray[np.float32]:
        """Resample to the model's rate, then crop around the centre or pad with zeros on the right."""
        length = resampled_length(signal.shape[1], sampling_rate, self.sampling_rate)
        start = max(0, (length - self.num_samples) // 2)
        if abs(length - self.num_samples) > MAX_MISFIT * self.num_samples:
            message = (
                f"the recording lasts {length / self.sampling_rate:.4g} s, the model expects "
                f"{self.num_samples / self.sampling_rate:g} s: "
            )
            if length < self.num_samples:
                message += "the rest is padded with zeros"
            else:
                first, last = start / self.sampling_rate, (start + self.num_samples) / self.sampling_rate
                message += (
                    f"only its middle, {first:.4g} to {last:.4g} s, is used; long_recordings='windows' gives "
                    "all of it"
                )
            warnings.warn(message, stacklevel=4)
        stop = min(length, start + self.num_samples)
        window = resample(
            signal, source_rate=sampling_rate, target_rate=self.sampling_rate, start=start, stop=stop
        )
        return pad_to_window(torch.from_numpy(window.astype(np.float32)), self.num_samples).numpy()

    def _all_windows(self, signal: NDArray[np.float64], *, sampling_rate: float) -> NDArray[np.float32]:
        """Resample to the model's rate, then divide into windows (count, leads, num_samples)."""
        length = resampled_length(signal.shape[1], sampling_rate, self.sampling_rate)
        resampled = np.empty((len(signal), length), dtype=np.float32)
        # Piece by piece: the weights of the interpolation take far more memory than the recording.
        for start in range(0, length, self.num_samples):
            stop = min(length, start + self.num_samples)
            resampled[:, start:stop] = resample(
                signal, source_rate=sampling_rate, target_rate=self.sampling_rate, start=start, stop=stop
            )
        starts = window_starts(length, self.num_samples)
        return np.stack([resampled[:, start : start + self.num_samples] for start in starts])


__all__ = ["SslEcgFeatureExtractor", "check_amplitude"]
