"""Encodes and decodes saved results, as frames like those of a journal.

``docs/journal.md`` is the specification. Anybody may have written such a file: each value is
checked, and nothing in it is imported or executed. This module opens no files.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from asha_bus._version import __version__
from asha_bus.core.checks import Rule, check, cut, whole
from asha_bus.core.errors import JournalError
from asha_bus.core.events import RunSettings
from asha_bus.core.failures import Repeated
from asha_bus.core.schedulers import Schedulers
from asha_bus.core.space import Space
from asha_bus.core.trial import RungStanding, TrialRow, TrialState
from asha_bus.formats.journal import is_journal, reading
from asha_bus.formats.records import FRAME, MAX_RECORD_BYTES, framed, packed, payload_at, unpacked
from asha_bus.formats.space_form import describe, space_from

MAGIC = b"asha-bus result\n"
FORMAT = 1


class SavedTrial(NamedTuple):
    """One trial of a saved result."""

    row: TrialRow
    log: str
    reports: Sequence[tuple[float, float]]
    extra_curves: Mapping[str, Sequence[tuple[float, float]]]


class SavedResult(NamedTuple):
    """What is saved of a result."""

    name: str
    mode: str
    seed: int
    space: Space
    settings: RunSettings | None
    reason: str
    message: str
    elapsed_s: float
    #: The fields of a `BusReport` by name.
    bus: dict[str, Any]
    trial_warnings: Sequence[Repeated]
    rungs: Sequence[RungStanding]
    trials: Sequence[SavedTrial]


def is_saved_result(data: bytes) -> bool:
    """Whether ``data`` starts with the magic bytes of a saved result."""
    return data[: len(MAGIC)] == MAGIC


def encode(result: SavedResult) -> bytes:
    """The bytes of the file. Raises `JournalError` if one trial is too large for it."""
    settings = None if result.settings is None else result.settings.to_plain()
    head = {"format": FORMAT, "version": __version__, **result._asdict()}
    head.update(space=describe(result.space), settings=settings, trials=len(result.trials))
    return MAGIC + b"".join(map(_frame, (head, *result.trials)))


def _frame(plain: Any) -> bytes:
    payload = packed(plain)
    if len(payload) > MAX_RECORD_BYTES:
        raise JournalError(
            f"the result has a part of {len(payload)} bytes, more than {MAX_RECORD_BYTES}; keep "
            f"its journal, or report smaller extras"
        )
    return framed(payload)


def decode(data: bytes, path: str, schedulers: Schedulers = ()) -> SavedResult:
    """The result in ``data``; raises `JournalError`, which names ``path``."""
    if is_journal(data):
        raise JournalError(f"{path} is a journal; read it with Result.from_journal")
    if not is_saved_result(data):
        raise JournalError(f"{path} is not a saved result of asha-bus; give another path")
    at, parts = len(MAGIC), list[Any]()
    while (payload := payload_at(data, at)) is not None:
        with reading(path, f"the part at byte {at} cannot be read"):
            parts.append(unpacked(payload))
        at += FRAME.size + len(payload)
    if at < len(data) or not parts:
        raise JournalError(f"{path} is damaged at byte {at}; save the result again")
    with reading(path, "the saved result cannot be read"):
        head = parts[0]
        if head["format"] > FORMAT:
            version = cut(str(head.get("version", "of that time")), 40)
            raise JournalError(
                f"{path} has format {head['format']}, but this asha-bus reads only formats up to "
                f"{FORMAT}; install asha-bus {version} or later"
            )
        if head["trials"] != len(parts) - 1:
            raise JournalError(
                f"{path} has {len(parts) - 1} of its {head['trials']} trials; save the result again"
            )
        return _result(head, parts[1:], schedulers)


def _result(head: Any, trials: Sequence[Any], schedulers: Schedulers) -> SavedResult:
    for name, rule in _HEAD_RULES.items():
        check(name, head[name], rule)
    if head["settings"] is not None:
        check("settings", head["settings"], _DICT)
    settings = head["settings"] and RunSettings.from_plain(head["settings"], schedulers)
    warnings = [_tuple(Repeated, one, _REPEATED_RULES) for one in head["trial_warnings"]]
    return SavedResult(
        head["name"],
        head["mode"],
        head["seed"],
        space_from(head["space"]),
        settings,
        head["reason"],
        head["message"],
        head["elapsed_s"],
        head["bus"],
        warnings,
        [_tuple(RungStanding, one, _STANDING_RULES) for one in head["rungs"]],
        [_trial(plain, number) for number, plain in enumerate(trials)],
    )


def _trial(plain: Any, number: int) -> SavedTrial:
    row, log, reports, extra_curves = plain
    found = TrialRow.from_plain(row)
    _check_fields(found, _ROW_RULES)
    if found.id != number:
        raise ValueError(f"trial {number} has the number {found.id}")
    for record in found.rungs:
        _check_fields(record, _RUNG_RULES)
    for value in (*found.point, *found.pause_times):
        check("a number of a trial", value, _NUMBER)
    check("log", log, _TEXT)
    check("extra_curves", extra_curves, _DICT)
    for curve in (reports, *extra_curves.values()):
        for resource, value in curve:
            check("resource", resource, _NUMBER)
            check("a value of a curve", value, _NUMBER)
    return SavedTrial(found, log, reports, extra_curves)


def _tuple(cls: Callable[..., Any], plain: Any, rules: dict[str, Rule]) -> Any:
    found = cls(*plain)
    _check_fields(found, rules)
    return found


def _check_fields(found: Any, rules: dict[str, Rule]) -> None:
    for name, rule in rules.items():
        check(name, getattr(found, name), rule)


def _or_none(rule: Rule) -> Rule:
    def holds(value: Any) -> bool:
        return value is None or rule.holds is None or rule.holds(value)

    return Rule(f"{rule.words} or None", holds, (*rule.types, type(None)))


_TEXT = Rule("a text", types=(str,))
_DICT = Rule("a dict", types=(dict,))
_ARRAY = Rule("an array", types=(tuple,))
_NUMBER = Rule("a number", types=(int, float))
_COUNT = whole(0)
_NUMBER_OR_NONE, _TEXT_OR_NONE, _COUNT_OR_NONE = map(_or_none, (_NUMBER, _TEXT, _COUNT))

_HEAD_RULES = {
    "version": _TEXT,
    "name": _TEXT,
    "mode": Rule("'min' or 'max'", lambda value: value in ("min", "max"), (str,)),
    "seed": _COUNT,
    "reason": _TEXT,
    "message": _TEXT,
    "elapsed_s": _NUMBER,
    "bus": _DICT,
    "trial_warnings": _ARRAY,
    "rungs": _ARRAY,
}
_ROW_RULES = {
    "id": _COUNT,
    "point": _ARRAY,
    "seed": _COUNT,
    "bracket": _COUNT,
    "state": Rule("a state", lambda value: value in set(TrialState), (str,)),
    "attempts": _COUNT,
    "worker": _TEXT_OR_NONE,
    "metric": _NUMBER_OR_NONE,
    "best_metric": _NUMBER_OR_NONE,
    "resource": _NUMBER,
    "extras": _DICT,
    "error": _TEXT_OR_NONE,
    "start_time": _NUMBER_OR_NONE,
    "end_time": _NUMBER_OR_NONE,
    "repeat": _COUNT,
    "attempt_time": _NUMBER_OR_NONE,
    "best_resource": _NUMBER_OR_NONE,
    "pause_times": _ARRAY,
}
_RUNG_RULES = {
    "rung": _COUNT,
    "resource": _NUMBER,
    "metric": _NUMBER,
    "n": _COUNT,
    "keep": _COUNT,
    "cutoff": _NUMBER_OR_NONE,
    "verdict": _TEXT,
    "mean": _NUMBER_OR_NONE,
    "paused_n": _COUNT_OR_NONE,
    "reason": _TEXT_OR_NONE,
}
_STANDING_RULES = {
    "bracket": _COUNT,
    "rung": _COUNT,
    "resource": _NUMBER,
    "entries": _COUNT,
    "passed": _COUNT,
    "cutoff": _NUMBER_OR_NONE,
    "paused": _COUNT,
    "expected": _COUNT_OR_NONE,
    "keep": _COUNT_OR_NONE,
    "is_last": Rule("True or False", types=(bool,)),
}
_REPEATED_RULES = {"trial": _COUNT, "text": _TEXT, "times": _COUNT}
