"""The Spark engine: workers are long-lived tasks, and each slot has its own Spark job."""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from functools import partial
from typing import Any

from pyspark import InheritableThread, SparkContext
from pyspark.sql import SparkSession

from asha_bus.core.errors import BusError, WorkerError
from asha_bus.core.roster import HungWorker
from asha_bus.driver import spark_tasks
from asha_bus.driver.engine import Engine, Hooks, Slots
from asha_bus.driver.probe import ITSELF, NEEDED, as_machine, probe
from asha_bus.driver.process import guarded
from asha_bus.driver.spark_calls import SparkCalls, dumps
from asha_bus.driver.spark_session import (
    conf_of,
    find_session,
    hosts_of,
    is_stopped,
    warn_of_idle_timeout,
)
from asha_bus.driver.spark_slots import POLL_S, SparkSlots
from asha_bus.driver.spark_watch import SlotsWatch
from asha_bus.launching.job import CannotLoad
from asha_bus.objective.closure import imported_by

logger = logging.getLogger("asha_bus")

#: Up to this many workers have a job each, so that the failure of one does not affect the
#: others. More workers share jobs evenly.
_MAX_JOBS = 32

#: An executor must get an answer from the bus within this time.
_PING_TIMEOUT_S = 5.0

#: How long to wait for cancelled tasks; Spark kills their Python workers after about 3 s.
_CANCEL_TIMEOUT_S = 15.0
#: The same where the user is in a hurry.
_HURRY_S = 3.5

#: The local property of Spark behind a job's description.
_DESCRIPTION = "spark.job.description"

#: What finds out more than a launch does.
_SEE_DOCTOR = "`asha-bus doctor` checks every executor"


#: The function that runs in a task; it takes the slot and the data of the run.
Work = Callable[[str, Mapping[str, Any]], Iterator[str | CannotLoad]]


class SparkEngine(Engine):
    """Runs workers as tasks of ``spark``; None: of the active session, or of a new one.

    ``task(job, slot, data)`` runs in each task. ``ping(address, name, timeout_s)`` runs in a
    task before the run and returns whether the bus can be reached from there, and then
    ``load(job, data)`` yields what a worker cannot load.
    """

    def __init__(
        self,
        spark: SparkSession | None,
        *,
        name: str,
        task: Callable[[Any, str, Mapping[str, Any]], Iterator[str | CannotLoad]],
        ping: Callable[[Any, str, float], bool],
        load: Callable[[Any, Mapping[str, Any]], Iterator[CannotLoad]],
    ) -> None:
        self._session = find_session(spark)
        self._context: SparkContext = self._session.sparkContext
        self._master = self._context.master or ""
        self._conf = conf_of(self._session)  # which asks the JVM for each entry
        self._name = name
        self._task = task
        self._ping = ping
        self._load = load
        self._tag = f"asha-bus-{name}-{os.urandom(4).hex()}"
        self._closing = threading.Event()
        #: Held while jobs are added, which is impossible after ``_closing``.
        self._adding = threading.Lock()
        #: By index.
        self._jobs: dict[int, threading.Thread] = {}
        #: By its tag how many workers a job has; one that is missing was released.
        self._counts: dict[str, int] = {}
        #: When the jobs were first cancelled.
        self._cancelled: float | None = None
        self._supply = SparkSlots(self._context)
        self._calls = SparkCalls(self._context)
        self._data: dict[str, Any] = {}

    @property
    def host(self) -> str:
        return hosts_of(self._context)[0]

    @property
    def listen_host(self) -> str:
        return hosts_of(self._context)[1]

    @property
    def conf(self) -> Mapping[str, str]:
        return self._conf

    def dumps(self, value: Any) -> bytes:
        return dumps(value)

    def worker_count(self, wanted: int | None, timeout_s: float) -> int:
        warn_of_idle_timeout(self._conf)
        supply = self._supply
        self._slots_watch = SlotsWatch(
            self._name, supply.supply, wanted, timeout_s, is_fixed=supply.is_fixed
        )
        return self._supply.first(wanted, timeout_s)

    def expected(self) -> int:
        return self._slots_watch.expected(self.started())

    def started(self) -> int:
        return sum([*self._counts.values()])

    def preflight(self, job: Any, *, ship_packages: bool = False) -> None:
        calls = self._calls
        before = calls.python
        if (why := calls.why_not()) is not None and calls.use_own_python():
            logger.warning("%s", spark_tasks.own_python(before, why))
        try:
            self._preflight(job, ship_packages)
        except WorkerError as error:
            if not calls.use_own_python():
                raise
            self._preflight(job, ship_packages)
            *_, said = str(error).removesuffix(spark_tasks.PYTHON_ADVICE).splitlines()
            first = said.partition(". ")[0]
            logger.warning("%s", spark_tasks.own_python(before, f"fails: {first}"))

    def _preflight(self, job: Any, ship_packages: bool) -> None:
        there = as_machine(self._run_once(probe({**NEEDED, **ITSELF})))
        if there.missing((*NEEDED,)) and ship_packages:
            self._calls.ship_packages(there, as_machine(probe(NEEDED)()))
            there = as_machine(self._run_once(probe({**NEEDED, **ITSELF})))
        if missing := there.missing((*NEEDED,)):
            problems = "; ".join(there.package(name).problem for name in missing)
            python = there.executable
            ship = "" if ship_packages else ", set BusOptions(ship_packages=True)"
            raise WorkerError(
                f"the executor on {there.host} lacks {' and '.join(missing)} in its Python "
                f"{python} ({problems}). Run {python} -m pip install {' '.join(missing)} "
                f"there{ship}, or use a Python that has them; {_SEE_DOCTOR}."
                f"{spark_tasks.PYTHON_ADVICE}"
            )
        self._calls.ship_bus(there.package("asha-bus").version)
        address = job.address
        ping = partial(self._ping, address, f"preflight-{self._tag}", _PING_TIMEOUT_S)
        if not self._run_once(ping):
            raise BusError(
                f"the executor on {there.host} could not reach the bus at {address.endpoint} "
                f"within {_PING_TIMEOUT_S:g} s. Set BusOptions(host=...) to an address of this "
                f"driver that executors can reach, and port=... to one that no firewall blocks; "
                f"{_SEE_DOCTOR}"
            )
        self._check_load(job, there.host)

    def share(self, data: Mapping[str, Any]) -> Mapping[str, Any]:
        registry = self._context._pickled_broadcast_vars
        self._data = {
            name: spark_tasks.ByValue(self._context, value, registry)
            for name, value in data.items()
        }
        return self._data

    def start(self, job: Any, workers: int, hooks: Hooks) -> None:
        # Spark itself must pickle a broadcast, together with the job that uses it
        self._work = self._calls.packed(partial(self._task, replace(job, data={})), is_work=True)
        self._hooks = hooks
        self._slots = Slots(0, hooks)
        self._add(workers)
        if workers < self.expected():
            logger.info(
                "%s: Spark has %d of %d task slots; the run takes up the others as they come",
                self._name,
                workers,
                self.expected(),
            )
        # inherits the caller's scheduler pool for the jobs that it adds
        name = "asha-bus-slots"
        args = (self._watch, name, self._on_thread_failure)
        self._watcher = InheritableThread(target=guarded, args=args, name=name, daemon=True)
        self._watcher.start()

    def describe(self) -> str:
        return f"{self.started()} tasks on {self._master}"

    def replace(self, worker: HungWorker) -> None:
        # Spark runs the task again, in the same slot; a killed task does not count as failed
        *_, task = worker.name.rpartition(".")
        try:
            self._context._jsc.sc().killTaskAttempt(int(task), True, "its worker hangs")
        except Exception as error:  # the context may be stopped, with any error of py4j
            logger.debug("task %s could not be ended: %r", task, error)

    def close(self, grace_s: float) -> None:
        with self._adding:
            self._closing.set()
        if not self._join(grace_s):
            self._cancel(_CANCEL_TIMEOUT_S if grace_s else _HURRY_S)
        for broadcast in self._data.values():
            try:
                broadcast.destroy()
            except Exception as error:  # the context may be stopped, with any error of py4j
                logger.debug("data could not be released: %r", error)

    def _cancel(self, within_s: float) -> None:
        try:
            self._context.cancelJobsWithTag(self._tag)
        except Exception as error:  # the context may be stopped, with any error of py4j
            logger.debug("the jobs could not be cancelled: %r", error)
        if self._cancelled is None:
            self._cancelled = time.monotonic()
        if not self._join(max(self._cancelled + within_s - time.monotonic(), 0.0)):
            logger.warning("some tasks of %s did not end; see Spark's UI", self._name)

    def _check_load(self, job: Any, host: str) -> None:
        """Have an executor load ``job`` once; WorkerError, in words, if that is impossible."""
        bare = replace(job, data={})
        load, data = self._calls.packed(partial(self._load, bare), is_work=True), self._data
        found = self._run_once(lambda: [*load(data)])
        if found:
            here = spark_tasks.packages_in(self.dumps(bare), found[0].what)
            differ = self._run_once(spark_tasks.differing(here))
            missing = found[0].missing
            raise WorkerError(
                f"{found[0].what}; "
                f"{found[0].advice if missing is None else spark_tasks.how_to_send(missing)}"
                f"{'. ' + ', '.join(differ) if differ and missing is None else ''}"
            )
        names = {name.partition(".")[0] for name in imported_by(job.objective) if name}
        for name in self._run_once(spark_tasks.lacking(names)) if names else ():
            logger.warning(
                "the objective imports %s, which the executor on %s does not have; %s",
                name,
                host,
                spark_tasks.how_to_send(name),
            )

    # --- slots that come and go ---------------------------------------------

    def _add(self, workers: int) -> None:
        """Start ``workers`` more."""
        with self._adding:
            if self._closing.is_set():
                return
            jobs = min(workers, max(_MAX_JOBS - len(self._counts), 1))
            for number in range(jobs):
                index = self._slots.add()
                tasks = workers // jobs + (number < workers % jobs)
                name = f"asha-bus-job-{index}"
                # inherits the caller's scheduler pool, and releases its JVM thread when it ends
                thread = InheritableThread(
                    target=guarded,
                    args=(self._keep, name, self._on_thread_failure, self._work, index, tasks),
                    name=name,
                    daemon=True,
                )
                self._counts[self._tag_of(index)] = tasks
                self._jobs[index] = thread
                thread.start()

    def _watch(self) -> None:
        """Start a worker in each slot that comes, and release those whose slots are gone."""
        while not self._closing.wait(POLL_S):
            try:
                slots = self._supply.now()
                # more jobs than ours: somebody else's runs or waits
                ours = sum(thread.is_alive() for thread in self._jobs.values())
                change = self._slots_watch.poll(slots, self.started(), self._supply.jobs() - ours)
                if change < 0:
                    self._release(-change)
            except Exception as error:  # the context may be stopped, with any error of py4j
                logger.debug("the slots could not be counted: %r", error)
                continue
            if change > 0:
                self._add(change)

    def _release(self, workers: int) -> None:
        """End jobs of which no task runs, with up to ``workers`` workers in all."""
        for tag in sorted(self._supply.waiting_jobs() & self._counts.keys(), reverse=True):
            if self._counts[tag] <= workers:
                workers -= self._counts.pop(tag)
                self._context.cancelJobsWithTag(tag)

    # --- one job -------------------------------------------------------------

    def _keep(self, work: Work, index: int, tasks: int) -> None:
        """Keep a job with ``tasks`` workers running until the run is over."""
        number = 0
        while not self._closing.is_set():
            number += 1
            slot = f"{index}.{number}"
            found = self._run_job(work, slot, tasks)
            is_hopeless = isinstance(found, CannotLoad)
            failure = found.text if isinstance(found, CannotLoad) else found
            last = (failure or "").strip().rpartition("\n")[2].lstrip(": ")
            how = f"ended with its Spark job ({last}); see the executor's log" if last else ""
            left = [self._hooks.worker_exited(f"{slot}.{part}", how) for part in range(tasks)]
            if self._closing.is_set() or all(departure.dismissed for departure in left):
                return
            if self._tag_of(index) not in self._counts:
                self._slots.remove(index)
                return
            if is_stopped(self._context):
                self._hooks.fail("the Spark session was stopped during the run")
                return
            pause_s = self._slots.pause_s(
                index,
                joined=any(departure.joined for departure in left),
                why=f"{'' if is_hopeless else 'a Spark task could not be started: '}{failure}",
                is_hopeless=is_hopeless,
            )
            if pause_s is None:
                return
            logger.info("the job of worker %s ended (%s); restarting it", slot, failure)
            self._closing.wait(pause_s)

    def _on_thread_failure(self, error: BaseException) -> None:
        self._hooks.fail(f"a thread that keeps a Spark job failed: {error!r}")

    def _run_job(self, work: Work, slot: str, tasks: int) -> str | CannotLoad | None:
        """Run one job to its end; return its error, or None."""
        try:
            self._label(f"asha-bus {self._name}: worker {slot}")
            self._context.addJobTag(self._tag_of(int(slot.partition(".")[0])))
            # the lambda must not refer to this module, which executors may lack
            data = self._data
            ends = self._calls.job(lambda _: work(slot, data), tasks)
            return next((end for end in ends.collect() if isinstance(end, CannotLoad)), None)
        except Exception as error:  # an aborted job, a stopped context: any error of py4j
            return spark_tasks.reason(error)

    def _run_once(self, function: Callable[[], Any]) -> Any:
        """Run ``function`` in one task and return its result."""
        call = self._calls.packed(function)
        described = self._context.getLocalProperty(_DESCRIPTION)
        try:
            self._label(f"asha-bus {self._name}: preflight")
            return self._calls.job(lambda _: [call()], 1).collect()[0]
        except Exception as error:  # an aborted job, a stopped context: any error of py4j
            raise WorkerError(
                f"Spark could not run a first task: {spark_tasks.reason(error)}"
                f"{spark_tasks.python_advice(error)}"
            ) from error
        finally:
            if not is_stopped(self._context):  # restore the state of the user's thread
                self._context.removeJobTag(self._tag)
                self._context._jsc.setLocalProperty(_DESCRIPTION, described)

    def _tag_of(self, index: int) -> str:
        return f"{self._tag}-{index}"

    def _label(self, description: str) -> None:
        self._context.addJobTag(self._tag)
        self._context.setJobDescription(description)

    # --- the context ---------------------------------------------------------

    def _join(self, timeout_s: float) -> bool:
        deadline = time.monotonic() + timeout_s
        for thread in [*self._jobs.values()]:
            thread.join(max(deadline - time.monotonic(), 0))
        return not any(thread.is_alive() for thread in self._jobs.values())


def most_slots(spark: SparkSession | None) -> int | None:
    """The most tasks that ``spark`` can ever run at a time; None: it is not known.

    ``spark``: None takes the active session or starts one.
    """
    return SparkSlots(find_session(spark).sparkContext).most()
