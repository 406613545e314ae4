"""What was found out about a machine and its way to the bus, without a verdict."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple


class Package(NamedTuple):
    """One package in one Python."""

    #: As pip names it.
    name: str
    #: None: it cannot be imported.
    version: str | None
    #: Why it cannot be imported.
    problem: str = ""


class Machine(NamedTuple):
    """What a Python process sees of its machine: that of the driver, or a task of an executor."""

    host: str
    #: Tells executors of one host apart: the process that started this one.
    parent: int
    #: The program of this Python, its version, and what its compiled modules must be made for.
    executable: str
    python: str
    soabi: str
    #: The version of the Java around it; None: it is not known.
    java: str | None
    packages: tuple[Package, ...]
    #: Addresses of the host at which workers look for the bus, as this machine resolves it.
    resolved: tuple[str, ...]
    #: Why it cannot be resolved.
    unresolved: str
    #: How many files a process may have open; None: it has no limit, or none is known.
    open_files: int | None
    #: Bytes of memory that are free for its processes; None: it is not known.
    memory: int | None

    def package(self, name: str) -> Package:
        """The package called ``name``."""
        return next((each for each in self.packages if each.name == name), Package(name, None))

    def missing(self, names: Sequence[str]) -> list[str]:
        """Those of ``names`` that cannot be imported."""
        return [name for name in names if self.package(name).version is None]


class Echo(NamedTuple):
    """How an executor reached the bus's address."""

    host: str
    parent: int
    #: The fastest round trip in seconds; None: no answer came.
    round_trip: float | None = None
    #: By how many seconds the executor's clock is ahead of the driver's.
    ahead: float = 0.0
    #: Why nothing could be sent.
    problem: str = ""


class Executor(NamedTuple):
    """One executor, as its tasks found it."""

    name: str
    machine: Machine
    #: How many of its slots ran a task of the survey.
    slots: int
    #: How many slots its machine has in all of its executors.
    slots_of_host: int
    #: None: no echo was sent.
    echo: Echo | None = None


class Session(NamedTuple):
    """The Spark session."""

    master: str
    spark: str
    java: str
    #: How many slots there are now, and how many executors.
    slots: int
    executors: int
    #: The Python that Spark was to run for tasks, and why a launch runs the driver's instead.
    other_python: str = ""
    why_other: str = ""


def executors(machines: Sequence[Machine], echoes: Sequence[Echo] = ()) -> tuple[Executor, ...]:
    """The executors behind ``machines`` and ``echoes``, of which each slot gives one.

    Executors are named by their host, with a number where a host has several.
    """
    found: dict[tuple[str, int], list[Machine]] = {}
    for machine in machines:
        found.setdefault((machine.host, machine.parent), []).append(machine)
    slots = {host: sum(each.host == host for each in machines) for host, _ in found}
    several = {host for host, _ in found if sum(other == host for other, _ in found) > 1}
    # of each executor that which went worst
    worst: dict[tuple[str, int], Echo] = {}
    for echo in sorted(echoes, key=_speed, reverse=True):
        worst.setdefault((echo.host, echo.parent), echo)
    counts: dict[str, int] = {}
    listed = []
    for (host, parent), seen in sorted(found.items()):
        counts[host] = counts.get(host, 0) + 1
        name = f"{host}/{counts[host]}" if host in several else host
        echo_of = worst.get((host, parent))
        listed.append(Executor(name, seen[0], len(seen), slots[host], echo_of))
    return tuple(listed)


def _speed(echo: Echo) -> float:
    return float("inf") if echo.round_trip is None else echo.round_trip
