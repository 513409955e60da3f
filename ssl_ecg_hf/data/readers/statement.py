"""What a file says of itself and what the caller says of it: together complete, and never contradictory."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ..record import STANDARD_LEADS, EcgFormatError, standard_lead_name
from ..units import MICROVOLTS_PER_UNIT, millivolts_per

SAME_RATE = 1e-3
"""Relative difference of two sampling rates that is taken for rounding."""


@dataclass(frozen=True)
class Given:
    """What the caller says: sampling rate in Hz, a name per lead, unit of the numbers; None where nothing."""

    sampling_rate: float | None = None
    leads: Sequence[str] | None = None
    unit: str | None = None


@dataclass(frozen=True)
class Settled:
    """What is known in the end: sampling rate in Hz, names of the leads, and the unit of each."""

    sampling_rate: float
    leads: tuple[str, ...]
    units: tuple[str, ...]

    @property
    def millivolts(self) -> tuple[float, ...]:
        """Size of each lead's unit in mV."""
        return tuple(millivolts_per(unit) for unit in self.units)

    @property
    def unit(self) -> str:
        """The unit of all leads, for display; several where they differ."""
        return ", ".join(dict.fromkeys(self.units))


def lead_names(leads: Sequence[str] | str | None) -> Sequence[str] | None:
    """Return the names of leads, where ``"standard"`` stands for the twelve in their usual order.

    Raises:
        EcgFormatError: if it is another word.
    """
    if isinstance(leads, str):
        if leads != "standard":
            raise EcgFormatError(f"leads={leads!r}; expected a list of names, or 'standard'")
        return STANDARD_LEADS
    return leads


def standard_names(names: Sequence[str]) -> list[str]:
    """Return the names that are one of the twelve standard leads, as they are given."""
    return [name for name in names if standard_lead_name(name) in STANDARD_LEADS]


def agreeing_rate(stated: Mapping[str, float]) -> float | None:
    """Return the sampling rate that a file states in one place or several; None where in none.

    Args:
        stated: in Hz, by the place in the file.

    Raises:
        EcgFormatError: if two places differ.
    """
    if not stated:
        return None
    first, *others = stated.items()
    for place, rate in others:
        if not abs(rate - first[1]) <= SAME_RATE * abs(first[1]):
            raise EcgFormatError(
                f"the file states two sampling rates: {first[1]:g} Hz in {first[0]}, {rate:g} Hz in {place}; "
                "correct it, or keep one of them"
            )
    return first[1]


def require_leads(given: Given) -> Sequence[str]:
    """Return the given names, where an array states nothing; all that is absent is named at once.

    Raises:
        EcgFormatError: if rate, names or unit are not given.
    """
    settle(given, units=[None])
    assert given.leads is not None
    return given.leads


def settle(
    given: Given,
    *,
    sampling_rate: float | None = None,
    leads: Sequence[str] | None = None,
    units: Sequence[str | None],
) -> Settled:
    """Join what a file states with what the caller gives.

    Args:
        given: by the caller.
        sampling_rate: that the file states, in Hz.
        leads: that the file states.
        units: that the file states, one per lead, or a single None where neither leads nor units are stated.

    Raises:
        EcgFormatError: if something is stated by neither, all of which is named, or differently by both.
    """
    names = given.leads if leads is None else leads
    _require(given, sampling_rate, names, units)
    assert names is not None
    rate = _settle_rate(given.sampling_rate, sampling_rate)
    if leads is not None and given.leads is not None:
        stated, wanted = ([standard_lead_name(name) for name in these] for these in (leads, given.leads))
        if stated != wanted:
            raise EcgFormatError(
                f"leads={list(given.leads)} were given, but the file states {list(leads)}; leave them out, "
                "or correct the file"
            )
    if leads is None and len(units) not in (1, len(names)):
        raise EcgFormatError(
            f"{len(names)} names were given in leads={list(names)} for {len(units)} channels; give one name "
            "per channel"
        )
    each = list(units) if len(units) == len(names) else [units[0]] * len(names)
    return Settled(rate, tuple(names), tuple(_settle_units(given.unit, each, names)))


def _require(
    given: Given, sampling_rate: float | None, names: Sequence[str] | None, units: Sequence[str | None]
) -> None:
    absent = {}
    if given.sampling_rate is None and sampling_rate is None:
        absent["sampling_rate"] = "sampling rate"
    if names is None:
        absent["leads"] = "lead names"
    if given.unit is None and None in units:
        one_of_many = names is not None and len(units) == len(names) > 1
        absent["unit"] = f"unit (lead {names[units.index(None)]!r})" if names and one_of_many else "unit"
    if absent:
        raise EcgFormatError(
            f"the file does not state its {', '.join(absent.values())}; give "
            f"{', '.join(f'{name}=' for name in absent)} (on the command line "
            f"{', '.join(f'--{name}' for name in absent)})"
        )


def _settle_rate(given: float | None, stated: float | None) -> float:
    if given is not None and stated is not None and not abs(given - stated) <= SAME_RATE * stated:
        raise EcgFormatError(
            f"sampling_rate={given:g} Hz was given, but the file states {stated:.6g} Hz; leave it out, or "
            "correct the file"
        )
    rate = given if stated is None else stated
    assert rate is not None
    return rate


def _settle_units(given: str | None, stated: Sequence[str | None], names: Sequence[str]) -> list[str]:
    if given is not None:
        size = millivolts_per(given)
        other = [
            f"{name} in {unit}"
            for name, unit in zip(names, stated, strict=True)
            if unit is not None and millivolts_per(unit) != size
        ]
        if other:
            raise EcgFormatError(
                f"unit={given!r} was given, but the file states {', '.join(other)}; leave it out, or correct "
                "the file"
            )
    units = [unit or given for unit in stated]
    return [unit for unit in units if unit is not None]


def voltages(names: Sequence[str], units: Sequence[str | None]) -> list[int]:
    """Return which channels to keep: all but those in another unit that are none of the twelve leads.

    Args:
        names: of the channels.
        units: of the channels; None where the file states none.

    Raises:
        EcgFormatError: if one of the twelve leads, or every channel, is in a unit that is no voltage.
    """
    other = [
        index for index, unit in enumerate(units) if unit is not None and unit not in MICROVOLTS_PER_UNIT
    ]
    wrong = [index for index in other if standard_names([names[index]])]
    if len(other) == len(names) or wrong:
        millivolts_per(str(units[(wrong or other)[0]]))
    return [index for index in range(len(names)) if index not in set(other)]
