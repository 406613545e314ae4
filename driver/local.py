"""The local engine: workers are processes on this machine, without a JVM."""

from __future__ import annotations

import collections
import logging
import os
import pickle
import signal
import subprocess
import tempfile
import threading
import time
from collections.abc import Mapping
from typing import IO, Any

from asha_bus.core.errors import WorkerError
from asha_bus.core.roster import HungWorker
from asha_bus.driver import process
from asha_bus.driver.descriptors import keep_from_forks
from asha_bus.driver.engine import Engine, Hooks, Slots
from asha_bus.driver.process import start_thread
from asha_bus.launching.job import MAX_FAILURE_BYTES, WorkerSetup
from asha_bus.objective.shared import PickledDescriptor, dump, dumps

logger = logging.getLogger("asha_bus")

#: At most so much of a worker's output goes into the error of its trial.
_SHOWN_CHARS = 4_000

#: How many last lines of a worker's output are shown if it cannot start.
_OUTPUT_LINES = 30
#: A longer line is shown in pieces, since it may never end.
_LINE_BYTES = 1 << 16
#: The time in seconds from SIGTERM to SIGKILL for a worker that ignores the end of the run.
_TERMINATE_S = 1.0
#: A killed worker is gone within this time, unless it waits for a disk.
_KILL_S = 1.0
#: How long to wait for the last output of a worker that has exited.
_LAST_OUTPUT_S = 0.5


class LocalEngine(Engine):
    """Runs each worker as a process with its share of the cores."""

    def __init__(self) -> None:
        self._closing = threading.Event()
        self._lock = threading.Lock()
        #: The worker processes by slot.
        self._workers: dict[str, process.Child] = {}
        self._threads: list[threading.Thread] = []
        #: The data of the run.
        self._files: list[IO[bytes]] = []

    @property
    def host(self) -> str:
        return "127.0.0.1"

    def dumps(self, value: Any) -> bytes:
        return dumps(value)

    def worker_count(self, wanted: int | None, timeout_s: float) -> int:
        return wanted or _cores()

    def expected(self) -> int:
        return len(self._threads)

    def started(self) -> int:
        return len(self._threads)

    def preflight(self, job: Any, *, ship_packages: bool = False) -> None:
        """Do nothing: local workers share this machine and its packages."""

    def share(self, data: Mapping[str, Any]) -> Mapping[str, Any]:
        shared = {}
        for name, value in data.items():
            # it has no name, so it is gone with its last user, whoever is killed
            file = tempfile.TemporaryFile()  # noqa: SIM115 - closed by close()
            self._files.append(file)
            keep_from_forks(file)
            dump(value, file)
            file.flush()
            shared[name] = PickledDescriptor(file.fileno())
        return shared

    def start(self, job: Any, workers: int, hooks: Hooks) -> None:
        self._job = self.dumps(job)
        self._hooks = hooks
        self._slots = Slots(workers, hooks)
        share = str(max(_cores() // workers, 1))
        self._env = {
            "OMP_NUM_THREADS": os.environ.get("OMP_NUM_THREADS", share),
        }
        for index in range(workers):
            name = f"asha-bus-slot-{index}"
            try:
                thread = start_thread(self._keep, name, self._on_thread_failure, index)
            except RuntimeError as error:
                raise WorkerError(
                    f"no thread is left to keep local worker {index}: {error}; lower workers, or "
                    f"end other programs"
                ) from error
            self._threads.append(thread)

    def describe(self) -> str:
        return f"{len(self._threads)} local processes"

    def replace(self, worker: HungWorker) -> None:
        with self._lock:
            hung = self._workers.get(worker.slot)
            if hung is not None:
                hung.process.kill()

    def close(self, grace_s: float) -> None:
        self._closing.set()
        self._join(grace_s)
        for end, within_s in (
            (subprocess.Popen.terminate, _TERMINATE_S),
            (subprocess.Popen.kill, _KILL_S),
        ):
            with self._lock:
                for worker in self._workers.values():
                    end(worker.process)
            self._join(within_s)
        if any(thread.is_alive() for thread in self._threads):
            logger.warning("workers %s do not end", [w.pid for w in self._workers.values()])
        for file in self._files:
            file.close()

    def _join(self, within_s: float) -> None:
        deadline = time.monotonic() + within_s
        for thread in self._threads:
            thread.join(max(deadline - time.monotonic(), 0))

    def _on_thread_failure(self, error: BaseException) -> None:
        self._hooks.fail(f"a thread that keeps a local worker failed: {error!r}")

    def _keep(self, index: int) -> None:
        """Keep the slot ``index`` filled until the run is over."""
        number = 0
        while not self._closing.is_set():
            number += 1
            slot = f"{index}.{number}"
            cannot_load = ""
            try:
                status, output, cannot_load = self._work(slot)
                how = _ending(status, output)
                why = f"the last one {how}"
            except Exception as error:  # no descriptors, processes or threads left, for example
                how = f"could not be started: {type(error).__name__}: {error}"
                why = f"it {how}"
            if self._closing.is_set():
                return
            departure = self._hooks.worker_exited(slot, how)
            if departure.dismissed:
                return
            pause_s = self._slots.pause_s(
                index,
                joined=departure.joined,
                why=cannot_load or f"a local worker could not be started; {why}",
                is_hopeless=bool(cannot_load),
            )
            if pause_s is None:
                return
            logger.info("worker %s is started again: %s", slot, why.partition("\n")[0])
            self._closing.wait(pause_s)

    def _work(self, slot: str) -> tuple[int, str, str]:
        """Run one worker; return its exit status, the end of its output, why it has no job."""
        setup = WorkerSetup(slot, os.getpid(), process.import_paths())
        with self._lock:
            if self._closing.is_set():
                return 0, "", ""
            worker = process.start(
                "asha_bus.executor",
                self._env,
                output=subprocess.PIPE,
                pass_fds=[file.fileno() for file in self._files],
            )
            self._workers[slot] = worker
        try:
            stdout = worker.process.stdout
            assert stdout is not None
            last = collections.deque[str](maxlen=_OUTPUT_LINES)
            reader = start_thread(
                self._forward,
                f"asha-bus-output-{slot}",
                lambda _: worker.process.kill(),
                stdout,
                last,
            )
            try:
                with worker.to_it as to_it:
                    to_it.write(pickle.dumps(setup) + self._job)
            except BrokenPipeError:
                logger.debug("worker %s exited before it read its job", slot)
            status = worker.process.wait()
            # a process that the objective left behind may keep the pipe open
            reader.join(_LAST_OUTPUT_S)
            return status, "\n".join(last), _said(worker)
        except BaseException:
            worker.process.kill()
            worker.process.wait()
            raise
        finally:
            with self._lock:
                del self._workers[slot]
            worker.from_it.close()

    def _forward(self, stdout: IO[bytes], last: collections.deque[str]) -> None:
        """Show what a worker prints; where that cannot be shown, it is lost, and read on."""
        with stdout:
            for line in iter(lambda: stdout.readline(_LINE_BYTES), b""):
                text = line.decode(errors="replace").rstrip("\n")
                last.append(text)
                try:
                    self._hooks.write(text)
                except Exception as error:
                    logger.debug("a line of a worker could not be shown: %r", error)


def _cores() -> int:
    """The processors that this process may use; of all systems, Linux knows them."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _said(worker: process.Child) -> str:
    """What a worker that has ended wrote to its pipe, which a child of it may keep open."""
    os.set_blocking(worker.from_it.fileno(), False)
    try:
        return os.read(worker.from_it.fileno(), MAX_FAILURE_BYTES).decode(errors="replace")
    except BlockingIOError:
        return ""


def _ending(status: int, output: str) -> str:
    """How a worker ended, in words: its exit status or signal, and what it printed last."""
    if status >= 0:
        how = f"ended with exit status {status}"
    else:
        how = f"ended by signal {-status} ({_signal_name(-status)})"
        if -status == signal.SIGKILL:
            how += ", which the system sends where memory is short"
    said = output.strip()[-_SHOWN_CHARS:]
    return f"{how}; its last output:\n{said}" if said else f"{how}, and printed nothing before"


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:  # a real-time signal
        return "a real-time signal"
