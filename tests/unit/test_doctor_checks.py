"""How the doctor judges what it finds, and how it says so."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pytest

import asha_bus as ab
from asha_bus.core.errors import WorkerError
from asha_bus.diagnosis.checks import check_answers, check_driver, check_executor, check_session
from asha_bus.diagnosis.facts import Echo, Executor, Machine, Package, Session, executors
from asha_bus.diagnosis.report import Check, Report, Status

ENDPOINT = "tcp://10.0.0.1:7077"
PACKAGES = {
    "asha-bus": "1.0",
    "pyzmq": "27.0",
    "msgpack": "1.1",
    "cloudpickle": "3.1",
    "pyspark": "4.0",
}


def machine(host: str = "one", parent: int = 1, **changes: Any) -> Machine:
    packages = {**PACKAGES, **changes.pop("packages", {})}
    found = Machine(
        host=host,
        parent=parent,
        executable="/usr/bin/python3",
        python="3.11.7",
        soabi="cpython-311-x86_64-linux-gnu",
        java="17.0.1",
        packages=tuple(
            Package(name, version, "" if version else f"ModuleNotFoundError: {name}")
            for name, version in packages.items()
        ),
        resolved=("10.0.0.1",),
        unresolved="",
        open_files=65_536,
        memory=8 << 30,
    )
    return found._replace(**changes)


def executor(echo: Echo | None = None, **changes: Any) -> Executor:
    return Executor("one", machine(**changes), 2, 2, echo or Echo("one", 1, 0.000_25, 0.001))


def bad(checks: Iterable[Check]) -> list[tuple[str, str, str]]:
    """What is not well: name, status and text; each such check says what to do."""
    found = [check for check in checks if check.status is not Status.OK]
    assert all(check.advice for check in found)
    return [(check.name, check.status.value, check.text) for check in found]


def judged(given: Executor, host: str = "10.0.0.1") -> list[Check]:
    return [*check_executor(given, machine("driver"), host, ENDPOINT)]


def test_a_sound_executor_is_ok_with_its_round_trip_and_clock() -> None:
    checks = judged(executor())
    assert [] == bad(checks)
    texts = {check.name: check.text for check in checks}
    assert f"{ENDPOINT} answers in 250 us" == texts["bus"]
    assert "0.001 s ahead of the driver's" == texts["clock"]
    assert "10.0.0.1 is an address" == texts["host name"]
    assert "4.0 GiB free for each of 2 slots" == texts["memory"]
    assert "3.11.7 (/usr/bin/python3), Java 17.0.1" == texts["Python"]
    assert "1.0" == texts["asha-bus"]


@pytest.mark.parametrize(
    ("given", "found"),
    [
        (
            executor(packages={"msgpack": None}),
            [
                ("msgpack", "failure", "ModuleNotFoundError: msgpack"),
                ("bus", "failure", "not tried, since msgpack cannot be imported"),
            ],
        ),
        (
            executor(packages={"pyspark": "3.5"}),
            [("pyspark", "warning", "3.5, and 4.0 on the driver")],
        ),
        (executor(packages={"asha-bus": None}), []),
        (
            executor(unresolved="Name or service not known"),
            [("host name", "failure", "10.0.0.1 cannot be resolved: Name or service not known")],
        ),
        (executor(Echo("one", 1)), [("bus", "failure", f"no answer from {ENDPOINT}")]),
        (
            executor(Echo("one", 1, problem="ImportError: libzmq")),
            [("bus", "failure", "not tried: ImportError: libzmq")],
        ),
        (
            executor(Echo("one", 1, 0.08)),
            [("bus", "warning", f"{ENDPOINT} answers in 80,000 us")],
        ),
        (
            executor(Echo("one", 1, 0.001, -2.5)),
            [("clock", "warning", "2.500 s behind the driver's")],
        ),
        (
            executor(open_files=100),
            [("open files", "warning", "at most 100, and a worker may need 256")],
        ),
        (executor(open_files=None, memory=None), []),
        (
            executor(memory=512 << 20),
            [("memory", "warning", "0.2 GiB free for each of 2 slots")],
        ),
    ],
)
def test_what_is_not_well_is_named_with_advice(
    given: Executor, found: list[tuple[str, str, str]]
) -> None:
    assert found == bad(judged(given))


def test_an_executor_without_asha_bus_is_ok_since_a_launch_sends_it() -> None:
    texts = [check.text for check in judged(executor(packages={"asha-bus": "0.9"}))]
    assert "0.9; a launch sends 1.0" in texts


def test_an_executor_that_no_echo_reached_is_a_failure() -> None:
    given = executor()._replace(echo=None)
    assert [("bus", "failure", "not tried: no task ran there")] == bad(judged(given))


def test_the_driver_is_checked_for_what_it_needs() -> None:
    assert [] == bad(check_driver(machine("driver"), 4, None))
    here = machine("driver", packages={"cloudpickle": None}, open_files=1024)
    assert [
        ("cloudpickle", "failure", "ModuleNotFoundError: cloudpickle"),
        ("Java", "failure", "there is no java"),
        ("open files", "warning", "at most 1,024, and 400 workers may need 1,856"),
    ] == bad(check_driver(here, 400, "there is no java"))


def test_a_session_without_slots_or_with_another_python_is_named() -> None:
    session = Session("spark://a:7077", "4.0", "17.0.1", 4, 2)
    assert [] == bad(check_session(session))
    assert [("slots", "failure", "none")] == bad(check_session(session._replace(slots=0)))
    other = session._replace(other_python="python3", why_other="is Python 3.9, and not 3.11")
    text = "the session's python3 is Python 3.9, and not 3.11; a launch runs the driver's"
    assert [("Python", "warning", text)] == bad(check_session(other))


def test_executors_that_did_not_answer_are_counted() -> None:
    session = Session("spark://a:7077", "4.0", "17.0.1", 4, 3)
    assert [("executors", "warning", "2 executors of 3 did not run a task")] == bad(
        check_answers(session, [executor()])
    )


def test_slots_are_put_together_to_executors_with_their_worst_echo() -> None:
    machines = [machine("a", 1), machine("a", 1), machine("a", 2), machine("b", 1)]
    echoes = [Echo("a", 1, 0.1), Echo("a", 1), Echo("a", 2, 0.2), Echo("b", 1, 0.3)]
    found = executors(machines, echoes)
    assert ["a/1", "a/2", "b"] == [each.name for each in found]
    assert [2, 1, 1] == [each.slots for each in found]
    assert [3, 3, 1] == [each.slots_of_host for each in found]
    assert [None, 0.2, 0.3] == [each.echo.round_trip for each in found if each.echo]


def test_a_report_counts_groups_and_advises() -> None:
    same = [
        Check("msgpack", where, Status.FAILURE, "missing", "install it")
        for where in ("a", "b", "c")
    ]
    report = Report((Check("Python", "driver", Status.OK, "3.11"), *same), 1.25)
    assert not report.ok
    assert "Report of asha-bus doctor: 1 ok, 0 warnings, 3 failures" == repr(report)
    assert [
        "asha-bus doctor: 1 ok, 0 warnings, 3 failures, in 1.2 s",
        "",
        "ok       driver       Python   3.11",
        "failure  3 executors  msgpack  missing",
        "",
        "failure (3 executors, msgpack): install it",
    ] == str(report).splitlines()
    assert {"ok": False, "seconds": 1.25} == {
        key: report.to_plain()[key] for key in ("ok", "seconds")
    }
    assert Report(report.checks[:1], 0.0).ok


def test_a_wrong_argument_is_refused() -> None:
    with pytest.raises(ab.InvalidArgument, match="timeout_s must be"):
        ab.doctor(timeout_s=-1)
    with pytest.raises(ab.InvalidArgument, match="bus must be BusOptions"):
        ab.doctor(bus="localhost")  # type: ignore[arg-type]


def test_packages_are_not_sent_to_another_platform() -> None:
    from asha_bus.driver.spark_calls import SparkCalls

    class Context:
        master = "spark://a:7077"

    there = machine(soabi="cpython-311-aarch64-linux-gnu")
    calls = SparkCalls(Context())  # type: ignore[arg-type]
    with pytest.raises(WorkerError, match=r"takes modules for cpython-311-aarch64-linux-gnu, and"):
        calls.ship_packages(there, machine("driver"))
