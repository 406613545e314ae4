"""Asks every executor of a Spark session about its machine and its way to the bus."""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import Any

import pyspark
from pyspark import InheritableThread

from asha_bus._version import __version__
from asha_bus.core.errors import WorkerError
from asha_bus.diagnosis.facts import Echo, Machine, Session
from asha_bus.driver import spark_tasks
from asha_bus.driver.probe import ASKED, NEEDED, as_machine, probe, sent
from asha_bus.driver.spark_calls import SparkCalls, dumps
from asha_bus.driver.spark_session import conf_of, find_session, hosts_of
from asha_bus.driver.spark_slots import SparkSlots
from asha_bus.launching.job import BusAddress

#: At most this many slots are asked: one for each executor, and some more.
_MOST_TASKS = 1_000


class SurveyFailed(WorkerError):
    """No executor could be asked: ``what`` was wrong, and ``advice``, what to do."""

    def __init__(self, what: str, advice: str) -> None:
        super().__init__(f"{what}. {advice}")
        self.what, self.advice = what, advice


class SparkSurvey:
    """Asks the executors of ``spark``; None: of the active session, or of a new one on ``master``.

    Each step ends within ``timeout_s`` seconds. Raises `InvalidArgument` or `WorkerError` if there
    is no session.
    """

    def __init__(self, spark: Any, master: str | None, timeout_s: float) -> None:
        session = find_session(spark, master)
        self._context = session.sparkContext
        self.conf = conf_of(session)
        #: The host at which workers reach this machine, and the address to listen at for that.
        self.host, self.listen_host = hosts_of(self._context)
        self._calls = SparkCalls(self._context)
        self._timeout_s = timeout_s
        self._tag = f"asha-bus-doctor-{os.urandom(4).hex()}"
        self._slots = 0
        self._why_other, self._before = "", self._calls.python

    def session(self) -> Session:
        """The session, once it has slots or has had none for the time limit."""
        supply = SparkSlots(self._context)
        with suppress(WorkerError):  # the number says that there are none
            supply.first(None, self._timeout_s)
        self._slots = supply.now()
        if supply.supply.on_demand:  # a task starts an executor
            self._slots = max(self._slots, 1)
        executors = len(self._context._jsc.sc().statusTracker().getExecutorInfos())
        if not supply.is_fixed:
            executors -= 1  # the driver is among them
        jvm: Any = self._context._jvm
        java = str(jvm.java.lang.System.getProperty("java.version"))
        return Session(
            self._context.master or "", pyspark.__version__, java, self._slots, executors
        )

    def machines(self, host: str) -> list[Machine]:
        """The machine of each slot, which resolves ``host``.

        Raises `SurveyFailed` if no task can run.
        """
        calls = self._calls
        if (why := calls.why_not()) is not None and calls.use_own_python():
            self._why_other = why
        found = self._machines(host)
        missing = {name for machine in found for name in machine.missing((*NEEDED,))}
        if missing and calls.use_own_python():  # as a launch does
            self._why_other = f"lacks {' and '.join(sorted(missing))}"
            found = self._machines(host)
        return found

    def other_python(self) -> tuple[str, str]:
        """The session's Python and why it does not run tasks; texts that are empty: it does."""
        return (self._before, self._why_other) if self._why_other else ("", "")

    def ship_packages(self, machines: list[Machine], here: Machine, host: str) -> list[Machine]:
        """Send pyzmq and msgpack of ``here`` to where they are missing, and ask again.

        Raises `SurveyFailed` where they cannot run there.
        """
        lacking = [machine for machine in machines if machine.missing((*NEEDED,))]
        if not lacking:
            return machines
        try:
            for machine in lacking:
                self._calls.ship_packages(machine, here)
        except WorkerError as error:
            what, _, advice = str(error).partition(". ")
            raise SurveyFailed(what, advice) from error
        return self._machines(host)

    def echoes(
        self,
        machines: list[Machine],
        measure: Callable[[BusAddress, float], tuple[float, float] | None],
        address: BusAddress,
        limit_s: float,
    ) -> list[Echo]:
        """What ``measure(address, limit_s)`` finds in each slot, to which asha_bus is sent."""
        versions = {machine.package("asha-bus").version for machine in machines}
        if differing := versions - {__version__}:
            self._calls.ship_bus(max(differing, key=str))
        # measure may need what is missing there, so it is unpickled inside
        found = self._everywhere(sent(dumps(partial(measure, address, limit_s))))
        echoes = []
        for host, parent, measured, problem in found:
            trip, ahead = measured or (None, 0.0)
            echoes.append(Echo(host, parent, trip, ahead, problem))
        return echoes

    def _machines(self, host: str) -> list[Machine]:
        return [as_machine(each) for each in self._everywhere(probe(ASKED, host))]

    def _everywhere(self, function: Callable[[], Any]) -> list[Any]:
        """Run ``function`` in each slot at the same time; SurveyFailed if that fails."""
        call = self._calls.packed(function)
        tasks = min(self._slots, _MOST_TASKS)
        found: list[Any] = []
        failed: list[Exception] = []

        def run() -> None:
            try:
                self._context.addJobTag(self._tag)
                self._context.setJobDescription("asha-bus doctor")
                found.extend(self._calls.job(lambda _: [call()], tasks).collect())
            except Exception as error:  # an aborted job, a stopped context: any error of py4j
                failed.append(error)

        # in a thread of its own: the properties of the user's thread stay, and it may be given up
        thread = InheritableThread(target=run, name="asha-bus-doctor", daemon=True)
        thread.start()
        thread.join(self._timeout_s)
        if thread.is_alive():
            self._context.cancelJobsWithTag(self._tag)
            thread.join(self._timeout_s)
            raise SurveyFailed(
                f"the {tasks} slots did not run a task each within {self._timeout_s:g} s",
                "wait until other jobs have ended, look for executors that hang in Spark's UI, or "
                "give them more time: doctor(timeout_s=...), asha-bus doctor --timeout",
            )
        if failed:
            raise SurveyFailed(
                f"Spark could not run a task: {spark_tasks.reason(failed[0])}",
                spark_tasks.python_advice(failed[0]).strip() or "read the executors' logs",
            ) from failed[0]
        return found
