"""Real Spark on loopback: sessions, and a standalone cluster."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from lib import ROOT
from lib.processes import free_port, wait_until

#: A Java virtual machine starts within this time, even on a busy machine.
_START_S = 150.0


def make_session(master: str, conf: Mapping[str, str] | None = None) -> Any:
    """A quiet session on ``master``, with ``conf`` set."""
    from pyspark import SparkContext
    from pyspark.sql import SparkSession

    if conf and SparkContext._gateway is None:
        make_session("local[1]").stop()  # the settings of the first session are those of its JVM
    builder = SparkSession.builder.master(master).appName("asha-bus tests")
    settings = {
        "spark.ui.showConsoleProgress": "false",
        "spark.log.level": "ERROR",
        "spark.ui.port": "0",
        "spark.driver.host": "127.0.0.1",
        **(conf or {}),
    }
    for key, value in settings.items():
        builder = builder.config(key, value)
    return builder.getOrCreate()


class Spark:
    """Spark on ``master``, with a session that is begun when it is needed."""

    def __init__(self, master: str) -> None:
        self.master = master
        self._session: Any = None

    def session(self) -> Any:
        """The session, which says nothing: harm is done to what it runs."""
        if self._session is None:
            conf = {"spark.log.level": "OFF"}
            if not self.master.startswith("local"):  # whose executors see the scripts as it is
                conf["spark.executorEnv.PYTHONPATH"] = str(ROOT / "scripts")
            self._session = make_session(self.master, conf)
        return self._session

    def release(self) -> None:
        """Stop the session, so that another process can have the slots."""
        if self._session is not None:
            self._session.stop()
            self._session = None


class Cluster(NamedTuple):
    """A running standalone cluster."""

    master: str
    worker_pids: list[int]
    #: Starts one more worker with a core, and returns once the master knows it.
    add_worker: Callable[[], None]
    #: Ends all that were added, and returns once the master knows that they are gone.
    end_added: Callable[[], None]


@contextmanager
def standalone(folder: Path, workers: int = 2) -> Iterator[Cluster]:
    """A standalone cluster of ``workers`` workers with a core each."""
    import pyspark

    home = Path(pyspark.__file__).parent
    port, web = free_port(), free_port()
    master = f"spark://127.0.0.1:{port}"
    environment = {
        **os.environ,
        "SPARK_HOME": str(home),
        "SPARK_MASTER_OPTS": "-Dspark.master.rest.enabled=false",
    }
    started: list[subprocess.Popen[bytes]] = []

    def start(log: str, *arguments: str) -> Path:
        path = folder / f"{log}.log"
        with path.open("wb") as file:
            command = [str(home / "bin" / "spark-class"), *arguments]
            started.append(
                subprocess.Popen(command, stdout=file, stderr=subprocess.STDOUT, env=environment)
            )
        return path

    package = "org.apache.spark.deploy"
    listen = ["--host", "127.0.0.1", "--webui-port"]
    try:
        log = start("master", f"{package}.master.Master", "--port", str(port), *listen, str(web))
        wait_until(lambda: "New state: ALIVE" in log.read_text(), "Spark's master", _START_S)
        pids: list[int] = []

        def begin_worker() -> Path:
            number = len(pids) + 1
            log = start(
                f"worker{number}",
                f"{package}.worker.Worker",
                *listen,
                str(free_port()),
                *("--cores", "1", "--memory", "1g", "--work-dir", str(folder / f"work{number}")),
                master,
            )
            pids.append(started[-1].pid)
            return log

        def await_workers(logs: list[Path]) -> None:
            wait_until(
                lambda: all("Successfully registered" in log.read_text() for log in logs),
                "Spark's workers",
                _START_S,
            )

        ended: list[int] = []

        def end_added() -> None:
            for pid in pids[workers:]:
                os.kill(pid, signal.SIGKILL)  # it is there, as a zombie at least
            ended.extend(pids[workers:])
            del pids[workers:]
            wait_until(
                lambda: log.read_text().count("Removing worker ") >= len(ended),
                "Spark's master without workers that ended",
                _START_S,
            )

        await_workers([begin_worker() for _ in range(workers)])
        yield Cluster(master, pids, lambda: await_workers([begin_worker()]), end_added)
    finally:
        for process in reversed(started):
            process.terminate()
        for process in started:
            process.wait(30)
