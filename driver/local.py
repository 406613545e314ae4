"""The local engine: workers are processes on this machine, without a JVM."""

from __future__ import annotations

import collections
import logging
import os
import pickle
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Any

import cloudpickle

from asha_bus.core.roster import HungWorker
from asha_bus.driver import process
from asha_bus.driver.engine import Engine, Hooks, Restarts
from asha_bus.launching.job import WorkerSetup
from asha_bus.objective.shared import PickledFile, dumps

logger = logging.getLogger("asha_bus")

#: How many last lines of a worker's output are shown if it cannot start.
_OUTPUT_LINES = 30
#: A longer line is shown in pieces, since it may never end.
_LINE_BYTES = 1 << 16
#: The time in seconds from SIGTERM to SIGKILL for a worker that ignores the end of the run.
_TERMINATE_S = 1.0
#: How long to wait for the last output of a worker that has exited.
_LAST_OUTPUT_S = 0.5


class LocalEngine(Engine):
    """Runs each worker as a process with its share of the cores."""

    def __init__(self) -> None:
        self._closing = threading.Event()
        self._lock = threading.Lock()
        #: The worker processes by slot.
        self._processes: dict[str, subprocess.Popen[bytes]] = {}
        self._slots: list[threading.Thread] = []
        #: The folder with the data of the run, if there is any.
        self._folder: Path | None = None

    @property
    def host(self) -> str:
        return "127.0.0.1"

    def dumps(self, value: Any) -> bytes:
        return dumps(value)

    def worker_count(self, wanted: int | None) -> int:
        return wanted or len(os.sched_getaffinity(0))

    def preflight(self, address: Any) -> None:
        """Do nothing: local workers share this machine and its packages."""

    def share(self, data: Mapping[str, Any]) -> Mapping[str, Any]:
        if not data:
            return {}
        self._folder = Path(tempfile.mkdtemp(prefix="asha-bus-data-"))
        shared = {}
        for number, (name, value) in enumerate(data.items()):
            path = self._folder / f"{number}.pickle"
            with path.open("wb") as file:
                cloudpickle.dump(value, file)
            shared[name] = PickledFile(str(path))
        return shared

    def start(self, job: Any, workers: int, hooks: Hooks) -> None:
        self._job = self.dumps(job)
        self._hooks = hooks
        share = str(max(self.worker_count(None) // workers, 1))
        self._env = {
            "OMP_NUM_THREADS": os.environ.get("OMP_NUM_THREADS", share),
        }
        self._slots = [
            threading.Thread(
                target=self._keep, args=(index,), name=f"asha-bus-slot-{index}", daemon=True
            )
            for index in range(workers)
        ]
        for slot in self._slots:
            slot.start()

    def describe(self) -> str:
        return f"{len(self._slots)} local processes"

    def replace(self, worker: HungWorker) -> None:
        with self._lock:
            hung = self._processes.get(worker.slot)
            if hung is not None:
                hung.kill()

    def close(self, grace_s: float) -> None:
        self._closing.set()
        deadline = time.monotonic() + grace_s
        for end in (subprocess.Popen.terminate, subprocess.Popen.kill):
            for slot in self._slots:
                slot.join(max(deadline - time.monotonic(), 0))
            with self._lock:
                for worker in self._processes.values():
                    end(worker)
            deadline = time.monotonic() + _TERMINATE_S
        for slot in self._slots:
            slot.join()
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)

    def _keep(self, index: int) -> None:
        """Keep the slot ``index`` filled until the run is over."""
        restarts = Restarts()
        number = 0
        while not self._closing.is_set():
            number += 1
            slot = f"{index}.{number}"
            status, output = self._work(slot)
            if self._closing.is_set():
                return
            joined = self._hooks.worker_exited(slot)
            if status == 0 and joined:
                return  # no trials were left
            pause_s = restarts.pause_s(joined)
            if pause_s is None:
                self._hooks.fail(
                    f"a local worker could not be started; the last one exited with status "
                    f"{status}:\n{output}"
                )
                return
            logger.info("worker %s exited with status %s; restarting it", slot, status)
            self._closing.wait(pause_s)

    def _work(self, slot: str) -> tuple[int, str]:
        """Run one worker; return its exit status and the end of its output."""
        with self._lock:
            if self._closing.is_set():
                return 0, ""
            worker = process.start("asha_bus.executor", self._env, stderr=subprocess.STDOUT)
            self._processes[slot] = worker
        assert worker.stdin is not None and worker.stdout is not None
        setup = WorkerSetup(slot, os.getpid(), [os.path.abspath(entry) for entry in sys.path])
        try:
            with worker.stdin as stdin:
                stdin.write(pickle.dumps(setup) + self._job)
        except BrokenPipeError:
            logger.debug("worker %s exited before it read its job", slot)
        last = collections.deque[str](maxlen=_OUTPUT_LINES)
        reader = threading.Thread(target=self._forward, args=(worker.stdout, last), daemon=True)
        reader.start()
        status = worker.wait()
        # a process that the objective left behind may keep the pipe open
        reader.join(_LAST_OUTPUT_S)
        with self._lock:
            del self._processes[slot]
        return status, "\n".join(last)

    def _forward(self, stdout: IO[bytes], last: collections.deque[str]) -> None:
        with stdout:
            for line in iter(lambda: stdout.readline(_LINE_BYTES), b""):
                text = line.decode(errors="replace").rstrip("\n")
                last.append(text)
                self._hooks.write(text)
