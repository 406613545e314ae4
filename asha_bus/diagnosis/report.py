"""The report of `asha_bus.doctor`: its checks, as values, text and plain data."""

from __future__ import annotations

import textwrap
from dataclasses import dataclass
from enum import Enum
from typing import Any

from asha_bus.results.tables import table

#: How wide advice is.
_WIDTH = 110
#: At most this many places are named.
_NAMED = 2


class Status(str, Enum):
    """How a check ended."""

    OK = "ok"
    WARNING = "warning"
    FAILURE = "failure"

    def __str__(self) -> str:
        return self.value


@dataclass(frozen=True)
class Check:
    """One thing that was checked at one place.

    Attributes:
        name: What was checked, such as ``"bus"``.
        where: ``"driver"``, ``"cluster"``, or the name of an executor.
        status: A `Status`, which is a text: ``"ok"``, ``"warning"`` or ``"failure"``.
        text: What was found.
        advice: What to do about it; empty if all is well.
    """

    name: str
    where: str
    status: Status
    text: str
    advice: str = ""


@dataclass(frozen=True)
class Report:
    """What `asha_bus.doctor` returns; its text is a table with the advice below.

    Attributes:
        checks: Each `Check`, first those of the driver.
        seconds: How long they took.
    """

    checks: tuple[Check, ...]
    seconds: float

    @property
    def ok(self) -> bool:
        """Whether no check failed; there may be warnings."""
        return not self.of(Status.FAILURE)

    def of(self, status: Status) -> list[Check]:
        """The checks that ended with ``status``."""
        return [check for check in self.checks if check.status is status]

    def to_plain(self) -> dict[str, Any]:
        """Return the report as dicts, lists, texts and numbers, as ``--json`` prints it."""
        checks = [
            {
                "name": check.name,
                "where": check.where,
                "status": check.status.value,
                "text": check.text,
                "advice": check.advice,
            }
            for check in self.checks
        ]
        return {"ok": self.ok, "seconds": round(self.seconds, 3), "checks": checks}

    def __repr__(self) -> str:
        return f"Report of asha-bus doctor: {self._counts()}"

    def __str__(self) -> str:
        lines = [f"asha-bus doctor: {self._counts()}, in {self.seconds:.1f} s", ""]
        grouped = _grouped(self.checks)
        rows = [(check.status.value, places, check.name, check.text) for check, places in grouped]
        lines += table(rows, left=(0, 1, 2, 3)).splitlines()
        for check, places in grouped:
            if check.advice:
                said = f"{check.status} ({places}, {check.name}): {check.advice}"
                lines += ["", *textwrap.wrap(said, _WIDTH, break_on_hyphens=False)]
        return "\n".join(lines)

    def _counts(self) -> str:
        counted = [(status, len(self.of(status))) for status in Status]
        plurals = {Status.WARNING: "s", Status.FAILURE: "s"}
        return ", ".join(
            f"{count} {status}{plurals.get(status, '') if count != 1 else ''}"
            for status, count in counted
        )


def _grouped(checks: tuple[Check, ...]) -> list[tuple[Check, str]]:
    """``checks`` with where they hold: those that differ in nothing else are one."""
    places: dict[tuple[str, Status, str, str], list[Check]] = {}
    for check in checks:
        key = (check.name, check.status, check.text, check.advice)
        places.setdefault(key, []).append(check)
    return [(same[0], _places([check.where for check in same])) for same in places.values()]


def _places(names: list[str]) -> str:
    """``names`` in a few words."""
    if len(names) <= _NAMED:
        return ", ".join(names)
    executors = [name for name in names if name != "driver"]
    said = f"{len(executors)} executors"
    return said if len(executors) == len(names) else f"driver, {said}"
