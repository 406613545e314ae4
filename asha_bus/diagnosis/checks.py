"""What the facts about machines mean for a run, in words. Nothing here asks a machine."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from asha_bus.diagnosis.facts import Executor, Machine, Session
from asha_bus.diagnosis.report import Check, Status

#: What workers need, and what the driver needs besides.
_FOR_WORKERS = ("pyzmq", "msgpack")
_FOR_DRIVER = (*_FOR_WORKERS, "cloudpickle")
#: Shown where they are, and compared, since closures travel between them.
_COMPARED = ("pyspark",)

#: Clocks that differ by more make times in logs hard to read; nothing else depends on them.
_CLOCK_S = 1.0
#: A slower way to the bus is one between data centres.
_ROUND_TRIP_S = 0.05
#: A Python worker with NumPy and a small model.
_MEMORY = 512 << 20
#: What a Python worker opens, beside the files of its objective.
_WORKER_FILES = 256
#: What the driver opens for each worker, and besides.
_FILES_EACH, _FILES = 4, 256


def check_driver(here: Machine, slots: int, java_problem: str | None) -> Iterator[Check]:
    """The driver's own Python, packages, Java and limits, for ``slots`` workers."""
    where = "driver"
    yield Check("Python", where, Status.OK, f"{here.python} ({here.executable})")
    for name in ("asha-bus", *_FOR_DRIVER):
        advice = f"run {here.executable} -m pip install {name}"
        yield _package(here, name, where, advice)
    if java_problem is not None:
        yield Check(
            "Java",
            where,
            Status.FAILURE,
            java_problem,
            "install Java 17 or later and set JAVA_HOME to its folder; engine='local' needs none",
        )
    needed = _FILES + _FILES_EACH * slots
    yield _open_files(here, where, needed, f"{slots} workers", "the program")


def _package(machine: Machine, name: str, where: str, advice: str) -> Check:
    """Whether a package that is needed is there."""
    found = machine.package(name)
    if found.version is None:
        return Check(name, where, Status.FAILURE, found.problem or "missing", advice)
    return Check(name, where, Status.OK, found.version)


def check_session(session: Session) -> Iterator[Check]:
    """What Spark is, and whether it has slots."""
    where = "cluster"
    text = f"{session.spark} on {session.master}, with Java {session.java}"
    yield Check("Spark", where, Status.OK, text)
    if session.slots:
        number = _counted(session.slots, "slot")
        text = f"{number} on {_counted(session.executors, 'executor')}"
        yield Check("slots", where, Status.OK, text)
    else:
        yield Check(
            "slots",
            where,
            Status.FAILURE,
            "none",
            "check that executors are running, that no other application has all cores, and that "
            "each executor has at least spark.task.cpus cores",
        )
    if session.other_python:
        yield Check(
            "Python",
            where,
            Status.WARNING,
            f"the session's {session.other_python} {session.why_other}; a launch runs the driver's",
            "set os.environ['PYSPARK_PYTHON'] = sys.executable before the session is made, so "
            "that all tasks of the session run the driver's Python",
        )


def check_answers(session: Session, found: Sequence[Executor]) -> Iterator[Check]:
    """Whether every executor answered."""
    missing = session.executors - len(found)
    if missing > 0:
        yield Check(
            "executors",
            "cluster",
            Status.WARNING,
            f"{_counted(missing, 'executor')} of {session.executors} did not run a task",
            "their slots may have been taken by other jobs; run the doctor again when the cluster "
            "is idle, to have them checked",
        )


def check_executor(executor: Executor, here: Machine, host: str, endpoint: str) -> Iterator[Check]:
    """One executor beside the driver, ``here``; workers use ``host``, in ``endpoint``."""
    yield from _software(executor, here)
    yield _name(executor, host)
    yield from _bus(executor, endpoint)
    where, there = executor.name, executor.machine
    yield _open_files(there, where, _WORKER_FILES, "a worker", "Spark's worker or container")
    yield _memory(executor)


def _software(executor: Executor, here: Machine) -> Iterator[Check]:
    where, there = executor.name, executor.machine
    java = "" if there.java is None else f", Java {there.java}"
    yield Check("Python", where, Status.OK, f"{there.python} ({there.executable}){java}")
    for name in _FOR_WORKERS:
        advice = (
            f"run {there.executable} -m pip install {name} there, or set "
            f"BusOptions(ship_packages=True), which sends the driver's own"
        )
        yield _package(there, name, where, advice)
    itself, ours = there.package("asha-bus").version, here.package("asha-bus").version
    sends = "" if itself == ours else f"; a launch sends {ours}"
    yield Check("asha-bus", where, Status.OK, f"{itself or 'not installed'}{sends}")
    for name in _COMPARED:
        theirs, mine = there.package(name).version, here.package(name).version
        if theirs == mine:
            yield Check(name, where, Status.OK, f"{theirs}")
        else:
            yield Check(
                name,
                where,
                Status.WARNING,
                f"{theirs or 'missing'}, and {mine} on the driver",
                f"install {name} {mine} there, or the other version here",
            )


def _name(executor: Executor, host: str) -> Check:
    there = executor.machine
    if there.unresolved:
        return Check(
            "host name",
            executor.name,
            Status.FAILURE,
            f"{host} cannot be resolved: {there.unresolved}",
            "set BusOptions(host=...) to an address of the driver in numbers, or make the name "
            "known there, in DNS or /etc/hosts",
        )
    if there.resolved == (host.strip("[]"),):
        return Check("host name", executor.name, Status.OK, f"{host} is an address")
    return Check("host name", executor.name, Status.OK, f"{host} is {', '.join(there.resolved)}")


def _bus(executor: Executor, endpoint: str) -> Iterator[Check]:
    where, echo = executor.name, executor.echo
    if executor.machine.missing(_FOR_WORKERS):
        missing = " and ".join(executor.machine.missing(_FOR_WORKERS))
        text = f"not tried, since {missing} cannot be imported"
        advice = f"see {missing}, and run the doctor again"
        yield Check("bus", where, Status.FAILURE, text, advice)
        return
    if echo is None or echo.problem:
        text = f"not tried: {'no task ran there' if echo is None else echo.problem}"
        advice = "run the doctor again when the cluster is idle"
        if echo is not None:
            advice = f"run {executor.machine.executable} -m pip install --force-reinstall pyzmq"
        yield Check("bus", where, Status.FAILURE, text, advice)
        return
    if echo.round_trip is None:
        yield Check(
            "bus",
            where,
            Status.FAILURE,
            f"no answer from {endpoint}",
            "set BusOptions(host=...) to an address of the driver that executors can reach, and "
            "port=... to one that no firewall blocks",
        )
        return
    trip = f"{endpoint} answers in {1e6 * echo.round_trip:,.0f} us"
    if echo.round_trip < _ROUND_TRIP_S:
        yield Check("bus", where, Status.OK, trip)
    else:
        advice = "run the driver near the executors: each decision takes this long"
        yield Check("bus", where, Status.WARNING, trip, advice)
    side = "ahead of" if echo.ahead > 0 else "behind"
    text = f"{abs(echo.ahead):.3f} s {side} the driver's"
    if abs(echo.ahead) < _CLOCK_S:
        yield Check("clock", where, Status.OK, text)
    else:
        advice = "synchronize the clocks (NTP); a run is right without, but times in logs differ"
        yield Check("clock", where, Status.WARNING, text, advice)


def _open_files(machine: Machine, where: str, needed: int, what: str, whose: str) -> Check:
    limit = machine.open_files
    if limit is None or limit >= needed:
        return Check("open files", where, Status.OK, "no limit" if limit is None else f"{limit:,}")
    return Check(
        "open files",
        where,
        Status.WARNING,
        f"at most {limit:,}, and {what} may need {needed:,}",
        f"raise the limit before {whose} is started: ulimit -n {needed}",
    )


def _memory(executor: Executor) -> Check:
    where, free = executor.name, executor.machine.memory
    if free is None:
        return Check("memory", where, Status.OK, "not known on this system")
    each = free / max(executor.slots_of_host, 1)
    text = f"{each / (1 << 30):.1f} GiB free for each of {_counted(executor.slots_of_host, 'slot')}"
    if each >= _MEMORY:
        return Check("memory", where, Status.OK, text)
    return Check(
        "memory",
        where,
        Status.WARNING,
        text,
        "use fewer slots for each machine (spark.executor.cores, workers=...), or give it more "
        "memory; in a container, spark.executor.memoryOverhead is what Python has",
    )


def _counted(number: int, noun: str) -> str:
    return f"{number} {noun}{'s' * (number != 1)}"
