"""The Spark engine: workers are long-lived tasks, and each slot has its own Spark job."""

from __future__ import annotations

import logging
import os
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from functools import partial
from typing import Any, BinaryIO

from pyspark import Broadcast, InheritableThread, SparkContext
from pyspark import cloudpickle as spark_pickle
from pyspark.sql import SparkSession

from asha_bus._version import __version__
from asha_bus.core.errors import BusError, InvalidArgument, WorkerError
from asha_bus.core.roster import HungWorker
from asha_bus.driver.engine import Engine, Hooks, Slots
from asha_bus.driver.process import guarded, import_paths
from asha_bus.driver.ship import make_zip
from asha_bus.launching.job import CannotLoad

logger = logging.getLogger("asha_bus")

#: Up to this many workers have a job each, so that the failure of one does not affect the
#: others. More workers share jobs evenly.
_MAX_JOBS = 32

#: An executor must get an answer from the bus within this time.
_PING_TIMEOUT_S = 5.0

#: How long to wait for executors, which may register after the session is created.
_SLOTS_TIMEOUT_S = 60.0
_SLOTS_PAUSE_S = 0.5

#: What Spark says if tasks run with another Python than this one, or with none.
_OTHER_PYTHON = ("PYTHON_VERSION_MISMATCH", "Cannot run program")
_PYTHON_ADVICE = (
    f"\nTasks run with the Python that PYSPARK_PYTHON names, or else with python3. Before the "
    f"session is made, set os.environ['PYSPARK_PYTHON'] = sys.executable, which is "
    f"{sys.executable} here; on a cluster, name a Python of version "
    f"{'.'.join(map(str, sys.version_info[:2]))} that all executors have"
)

#: How long to wait for cancelled tasks; Spark kills their Python workers after about 3 s.
_CANCEL_TIMEOUT_S = 15.0
#: The same where the user is in a hurry.
_HURRY_S = 3.5

#: The most lines of an error that are shown.
_ERROR_LINES = 40

#: The local property of Spark behind a job's description.
_DESCRIPTION = "spark.job.description"

#: The packages that executors need besides asha_bus, with their modules.
_NEEDED = {"pyzmq": "zmq", "msgpack": "msgpack"}


#: The function that runs in a task; it takes the slot and the data of the run.
Work = Callable[[str, Mapping[str, Any]], Iterator[str | CannotLoad]]


class SparkEngine(Engine):
    """Runs workers as tasks of ``spark``; None: of the active session, or of a new one.

    ``task(job, slot, data)`` runs in each task. ``ping(address, name, timeout_s)`` runs in a
    task before the run and returns whether the bus can be reached from there.
    """

    def __init__(
        self,
        spark: SparkSession | None,
        *,
        name: str,
        task: Callable[[Any, str, Mapping[str, Any]], Iterator[str | CannotLoad]],
        ping: Callable[[Any, str, float], bool],
    ) -> None:
        self._session = _session(spark)
        self._context: SparkContext = self._session.sparkContext
        self._master = self._context.master or ""
        self._name = name
        self._task = task
        self._ping = ping
        self._tag = f"asha-bus-{name}-{os.urandom(4).hex()}"
        self._closing = threading.Event()
        self._jobs: list[threading.Thread] = []
        #: When the jobs were first cancelled.
        self._cancelled: float | None = None
        self._workers = 0
        self._data: dict[str, Any] = {}

    @property
    def host(self) -> str:
        if self._master.startswith("local"):
            return "127.0.0.1"  # the executors are on this machine
        host: str = self._context.getConf().get("spark.driver.host") or "127.0.0.1"
        return host

    @property
    def conf(self) -> Mapping[str, str]:
        return dict(self._context.getConf().getAll())

    def dumps(self, value: Any) -> bytes:
        pickled: bytes = spark_pickle.dumps(value)  # type: ignore[no-untyped-call]
        return pickled

    def worker_count(self, wanted: int | None) -> int:
        if _is_dynamic(self._context):
            return wanted or max(_slots(self._context), 1)
        slots = _steady_slots(self._context)
        if slots == 0:
            raise WorkerError(
                f"Spark has no task slots after {_SLOTS_TIMEOUT_S:g} s; check that executors are "
                f"running and have at least spark.task.cpus cores each"
            )
        if wanted is not None and wanted > slots:
            raise InvalidArgument(
                f"workers={wanted} is more than the {slots} task slots that Spark has now; the "
                f"others would wait forever. Lower workers, or give Spark more cores"
            )
        return wanted or slots

    def preflight(self, address: Any) -> None:
        host, python, missing, version = self._run_once(_probe(_NEEDED))
        if missing:
            raise WorkerError(
                f"the executor on {host} lacks {' and '.join(missing)} in its Python {python}. "
                f"Run {python} -m pip install {' '.join(missing)} there, or use a Python that has "
                f"them.{_PYTHON_ADVICE}"
            )
        if version != __version__:
            logger.info("shipping asha_bus to the executors, which have %s", version or "none")
            self._context.addPyFile(make_zip())
        ping = partial(self._ping, address, f"preflight-{self._tag}", _PING_TIMEOUT_S)
        if not self._run_once(ping):
            raise BusError(
                f"the executor on {host} could not reach the bus at {address.endpoint} within "
                f"{_PING_TIMEOUT_S:g} s. Set BusOptions(host=...) to an address of this driver "
                f"that executors can reach, and port=... to one that no firewall blocks"
            )

    def share(self, data: Mapping[str, Any]) -> Mapping[str, Any]:
        registry = self._context._pickled_broadcast_vars
        self._data = {
            name: _ByValue(self._context, value, registry) for name, value in data.items()
        }
        return self._data

    def start(self, job: Any, workers: int, hooks: Hooks) -> None:
        # Spark itself must pickle a broadcast, together with the job that uses it
        work = self._packed(partial(self._task, replace(job, data={})), is_work=True)
        self._hooks = hooks
        self._workers = workers
        jobs = min(workers, _MAX_JOBS)
        self._slots = Slots(jobs, hooks)
        for index in range(jobs):
            tasks = workers // jobs + (index < workers % jobs)
            name = f"asha-bus-job-{index}"
            # inherits the caller's scheduler pool, and releases its JVM thread when it ends
            thread = InheritableThread(
                target=guarded,
                args=(self._keep, name, self._on_thread_failure, work, index, tasks),
                name=name,
                daemon=True,
            )
            self._jobs.append(thread)
            thread.start()

    def describe(self) -> str:
        return f"{self._workers} tasks on {self._master}"

    def replace(self, worker: HungWorker) -> None:
        # Spark runs the task again, in the same slot; a killed task does not count as failed
        *_, task = worker.name.rpartition(".")
        try:
            self._context._jsc.sc().killTaskAttempt(int(task), True, "its worker hangs")
        except Exception as error:  # the context may be stopped, with any error of py4j
            logger.debug("task %s could not be ended: %r", task, error)

    def close(self, grace_s: float) -> None:
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

    def _packed(self, function: Callable[..., Any], *, is_work: bool = False) -> Callable[..., Any]:
        """Wrap ``function`` for Spark's closure, with the broadcasts that it captured."""
        is_here = self._master.startswith("local")
        captured = self._context._pickled_broadcast_vars  # those of this thread
        captured.clear()
        pickled = self.dumps(function)
        broadcasts = [*captured]
        captured.clear()
        return _unpacked(pickled, _own_modules() if is_here else [], broadcasts, is_work)

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
            if self._is_stopped():
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
            # the lambda must not refer to this module, which executors may lack
            data = self._data
            ends = self._context.parallelize(range(tasks), tasks).mapPartitions(
                lambda _: work(slot, data)
            )
            return next((end for end in ends.collect() if isinstance(end, CannotLoad)), None)
        except Exception as error:  # an aborted job, a stopped context: any error of py4j
            return _reason(error)

    def _run_once(self, function: Callable[[], Any]) -> Any:
        """Run ``function`` in one task and return its result."""
        call = self._packed(function)
        described = self._context.getLocalProperty(_DESCRIPTION)
        try:
            self._label(f"asha-bus {self._name}: preflight")
            return self._context.parallelize([0], 1).mapPartitions(lambda _: [call()]).collect()[0]
        except Exception as error:  # an aborted job, a stopped context: any error of py4j
            advice = _PYTHON_ADVICE if any(sign in str(error) for sign in _OTHER_PYTHON) else ""
            raise WorkerError(
                f"Spark could not run a first task: {_reason(error)}{advice}"
            ) from error
        finally:
            if not self._is_stopped():  # restore the state of this thread, which is the user's
                self._context.removeJobTag(self._tag)
                self._context._jsc.setLocalProperty(_DESCRIPTION, described)

    def _label(self, description: str) -> None:
        self._context.addJobTag(self._tag)
        self._context.setJobDescription(description)

    # --- the context ---------------------------------------------------------

    def _join(self, timeout_s: float) -> bool:
        deadline = time.monotonic() + timeout_s
        for thread in self._jobs:
            thread.join(max(deadline - time.monotonic(), 0))
        return not any(thread.is_alive() for thread in self._jobs)

    def _is_stopped(self) -> bool:
        try:
            jsc = self._context._jsc
            return jsc is None or bool(jsc.sc().isStopped())
        except Exception:  # if the JVM is gone, py4j may raise any error
            return True


class _ByValue(Broadcast[Any]):
    """A broadcast pickled as jobs are: Spark's own pickling lacks the classes of a script."""

    def dump(self, value: Any, f: BinaryIO) -> None:
        with f:
            spark_pickle.dump(value, f)  # type: ignore[no-untyped-call]


def steady_slots(spark: SparkSession | None) -> int | None:
    """How many tasks ``spark`` can run at a time, once the number no longer grows.

    Returns None with dynamic allocation. ``spark``: None takes the active session or starts
    one.
    """
    context = _session(spark).sparkContext
    return None if _is_dynamic(context) else _steady_slots(context)


def _is_dynamic(context: SparkContext) -> bool:
    return context.getConf().get("spark.dynamicAllocation.enabled") == "true"


def _slots(context: SparkContext) -> int:
    scala = context._jsc.sc()
    profile = scala.resourceProfileManager().defaultResourceProfile()
    return int(scala.maxNumConcurrentTasks(profile))


def _steady_slots(context: SparkContext) -> int:
    """The number of task slots, once it is above 0 and no longer grows."""
    deadline = time.monotonic() + _SLOTS_TIMEOUT_S
    slots = _slots(context)
    if (context.master or "").startswith("local["):
        return slots
    while time.monotonic() < deadline:
        time.sleep(_SLOTS_PAUSE_S)
        before, slots = slots, _slots(context)
        if slots == before > 0:
            break
    return slots


def _session(spark: Any) -> SparkSession:
    """The session to use; raises `InvalidArgument` for anything but a session or None."""
    if spark is None:
        # a session started here runs its tasks with the same Python
        os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
        spark = SparkSession.getActiveSession() or SparkSession.builder.getOrCreate()
    if not isinstance(spark, SparkSession):
        kind = type(spark)
        hint = "Spark Connect is not supported; use a classic session, or engine='local'"
        if "connect" not in kind.__module__:
            hint = "pass a SparkSession, or None for the active one"
        raise InvalidArgument(f"spark is a {kind.__module__}.{kind.__name__}: {hint}")
    return spark


def _own_modules() -> list[str]:
    """The entries of sys.path with the user's modules, without Python's and installed ones."""
    installed = (sys.prefix, sys.base_prefix)
    return [
        entry
        for entry in import_paths()
        if not entry.startswith(installed) and not entry.endswith("-packages")
    ]


def _unpacked(
    pickled: bytes, sys_path: list[str], broadcasts: list[Broadcast[Any]], is_work: bool
) -> Callable[..., Any]:
    """A function that unpickles ``pickled``, with installed and shipped packages first.

    A Python worker has its current folder at the front of sys.path, where a folder named
    asha_bus would hide the package. ``sys_path`` is added at the end. ``broadcasts``: the
    broadcasts that ``pickled`` refers to. ``is_work``: it is a worker's, and returns a
    `CannotLoad` where it cannot be unpickled.
    """

    def call(*arguments: Any) -> Any:
        import os
        import sys
        from pickle import loads

        assert broadcasts is not None  # referenced here so that Spark sends them
        here = [entry for entry in sys.path if os.path.abspath(entry) == os.getcwd()]
        sys.path[:] = [entry for entry in sys.path if entry not in here] + here
        sys.path += [entry for entry in sys_path if entry not in sys.path]
        try:
            function = loads(pickled)
        except Exception as error:  # unpickling runs user code, which may raise anything
            if not is_work:
                raise
            from asha_bus.launching.job import CannotLoad

            return [CannotLoad.from_error(error)]
        return function(*arguments)

    return call


def _probe(needed: dict[str, str]) -> Callable[[], tuple[str, str, list[str], str | None]]:
    """A function that describes an executor, and imports only what is always there."""

    def probe() -> tuple[str, str, list[str], str | None]:
        import importlib
        import socket
        import sys

        missing = []
        for package, module in needed.items():
            try:
                importlib.import_module(module)
            except ImportError:
                missing.append(package)
        version = None
        try:
            importlib.import_module("asha_bus.executor")
            version = importlib.import_module("asha_bus").__version__
        except ImportError:
            pass
        return socket.gethostname(), sys.executable, missing, version

    return probe


def _reason(error: Exception) -> str:
    """The essential part of a Spark error: its Python traceback, or else its first lines."""
    text = str(error)
    _, found, rest = text.partition("Traceback (most recent call last)")
    text = (found + rest if found else text).partition("\n\tat ")[0]
    lines = text.strip().splitlines() or [repr(error)]
    return "\n".join(lines if len(lines) <= _ERROR_LINES else [*lines[:5], "...", *lines[-30:]])
