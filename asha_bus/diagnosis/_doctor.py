"""`doctor` joins what the driver, the executors and the checks find out."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from asha_bus.core.checks import SECONDS, check, checked
from asha_bus.core.errors import BusError, InvalidArgument, WorkerError
from asha_bus.diagnosis.checks import check_answers, check_driver, check_executor, check_session
from asha_bus.diagnosis.facts import Echo, Machine, Session, executors
from asha_bus.diagnosis.report import Check, Report, Status
from asha_bus.driver.echo import EchoServer
from asha_bus.driver.probe import ASKED, as_machine, probe
from asha_bus.executor.echo import measure
from asha_bus.launching.options import EVERY_ADDRESS, BusOptions

if TYPE_CHECKING:
    from asha_bus.driver.spark_survey import SparkSurvey

#: How long an executor tries to reach the bus, as before a run.
_ECHO_S = 5.0


@checked()
def doctor(
    spark: Any = None,
    *,
    bus: BusOptions | None = None,
    master: str | None = None,
    timeout_s: float = 30.0,
) -> Report:
    """Check this machine and a Spark cluster for a run, and say what to do about each problem.

    It checks versions here and on each executor, slots, missing packages, the resolution of the
    advertised host, limits and memory. Each executor sends encrypted messages to the address at
    which a launch would listen, which shows that it is reached, the round trip, and the difference
    of the clocks. asha-bus is sent to executors without it, as by a launch. Nothing is tuned.

    Args:
        spark: The session to check. None (default) takes the active one, or starts one.
        bus: The options that the launch will have: ``host``, ``port`` and ``ship_packages`` count.
            None (default) takes those of Spark's configuration.
        master: The master of a session that is started here, such as ``"spark://host:7077"``.
            None (default) takes that of Spark's configuration. An active session keeps its own.
        timeout_s: Seconds that each step may wait for Spark: for a slot, and for its tasks.
            Default 30. An executor tries to reach the bus for 5 s at most.

    Returns:
        A `Report`: print it, or read ``ok`` and ``checks``.

    Raises:
        InvalidArgument: An argument is wrong; the message names it.

    Example:
        ::

            report = ab.doctor(spark)
            print(report)
            assert report.ok
    """
    check("timeout_s", timeout_s, SECONDS)
    if bus is not None and not isinstance(bus, BusOptions):
        raise InvalidArgument(f"bus must be BusOptions(...) or None, got {bus!r}")
    began = time.monotonic()
    checks = tuple(_checks(spark, bus, master, timeout_s))
    return Report(checks, time.monotonic() - began)


def _checks(
    spark: Any, bus: BusOptions | None, master: str | None, timeout_s: float
) -> Iterator[Check]:
    here = as_machine(probe(ASKED)())
    try:
        from asha_bus.driver.spark_session import java_problem
        from asha_bus.driver.spark_survey import SparkSurvey, SurveyFailed
    except ModuleNotFoundError as error:
        if error.name not in ("pyspark", "py4j"):
            raise
        yield from check_driver(here, 0, None)
        advice = "run pip install 'asha-bus[spark]', or use engine='local', which needs no Spark"
        yield Check("pyspark", "driver", Status.FAILURE, "not installed", advice)
        return
    try:
        survey = SparkSurvey(spark, master, timeout_s)
    except WorkerError as error:
        problem = java_problem()
        yield from check_driver(here, 0, problem)
        if problem is None:
            advice = "read what Spark has printed above, and check the master's address"
            yield Check("Spark", "cluster", Status.FAILURE, str(error), advice)
        return
    options = bus or BusOptions.from_conf(survey.conf)
    host = options.host
    if host is None or host in EVERY_ADDRESS:
        host = survey.host
    session = survey.session()
    yield from check_driver(here, session.slots, None)
    failed = None
    machines: list[Machine] = []
    if session.slots:
        try:
            machines = survey.machines(host)
            if options.ship_packages:
                machines = survey.ship_packages(machines, here, host)
        except SurveyFailed as error:
            failed = error
    other, why = survey.other_python()
    yield from check_session(session._replace(other_python=other, why_other=why))
    if failed is not None:
        yield Check("tasks", "cluster", Status.FAILURE, failed.what, failed.advice)
    elif machines:
        yield from _check_executors(survey, session, machines, here, options, host)


def _check_executors(
    survey: SparkSurvey,
    session: Session,
    machines: list[Machine],
    here: Machine,
    options: BusOptions,
    host: str,
) -> Iterator[Check]:
    """The executors behind ``machines``, and their way to the bus at ``host``."""
    from asha_bus.driver.spark_survey import SurveyFailed

    echoes: list[Echo] = []
    endpoint = host
    try:
        with EchoServer(options.host or survey.listen_host, options.port) as server:
            address = server.address(host)
            endpoint = address.endpoint
            echoes = survey.echoes(machines, measure, address, _ECHO_S)
    except BusError as error:
        what, _, advice = str(error).partition(". ")
        yield Check("bus", "driver", Status.FAILURE, what, advice)
    except SurveyFailed as error:
        yield Check("bus", "cluster", Status.FAILURE, error.what, error.advice)
    found = executors(machines, echoes)
    yield from check_answers(session, found)
    for executor in found:
        yield from check_executor(executor, here, host, endpoint)
