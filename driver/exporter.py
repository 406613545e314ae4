"""The endpoint that Prometheus scrapes: one per address, shared by the runs of a process."""

from __future__ import annotations

import atexit
import contextlib
import json
import logging
import math
import os
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from prometheus_client.core import Metric
from prometheus_client.registry import Collector, CollectorRegistry

from asha_bus.core.errors import InvalidArgument
from asha_bus.core.status import Status
from asha_bus.driver.collector import RunMetrics, collect
from asha_bus.driver.figures import process_figures
from asha_bus.driver.readings import Facts
from asha_bus.driver.scraping import ScrapeServer

if TYPE_CHECKING:
    from asha_bus.driver.supervisor import Supervisor

logger = logging.getLogger("asha_bus")

#: The last figures of a run can be scraped for so long after its result was returned.
LINGER_S = 15.0
#: Who has scraped an endpoint within this time will do so again.
_SCRAPED_LATELY_S = 65.0
#: The time that an answer takes on its way.
_ON_ITS_WAY_S = 0.3

_lock = threading.Lock()
#: The endpoints of this process, by host and port.
_endpoints: dict[tuple[str, int], Endpoint] = {}


class Endpoint(Collector):
    """Serves the metrics of some runs over HTTP, at ``/metrics``, until the last one is gone."""

    def __init__(self, host: str, port: int) -> None:
        self._runs: dict[str, RunMetrics] = {}
        #: The runs whose end was told.
        self._told: set[str] = set()
        self._scraped_at = -math.inf
        registry = CollectorRegistry()
        registry.register(self)
        try:
            self._server = ScrapeServer(host, port, registry)
        except OSError as error:
            raise InvalidArgument(
                f"metrics_port={port}: cannot listen at {host}:{port}: {error.strerror}. Give a "
                f"free port, 0 for any, or another address: BusOptions(metrics_host=...)"
            ) from error
        self.host, self.port = host, int(self._server.server_port)
        #: Files that name this endpoint to Prometheus.
        self._files: dict[Path, set[str]] = {}
        #: Whose endpoint it is; a fork of this process has none.
        self.pid = os.getpid()

    def describe(self) -> list[Metric]:
        """Nothing is asked for when this is registered."""
        return []

    def collect(self) -> Iterator[Metric]:
        """All metrics, read now."""
        with _lock:
            runs = list(self._runs.values())
        ended = [run.label for run in runs if run.facts.reason is not None]
        yield from collect(runs)
        self._scraped_at = time.monotonic()
        self._told.update(ended)

    @property
    def is_awaited(self) -> bool:
        """Whether somebody scrapes it who has not heard of the end of a run yet."""
        ended = {label for label, run in self._runs.items() if run.facts.reason is not None}
        return bool(ended - self._told) and (
            time.monotonic() - self._scraped_at < _SCRAPED_LATELY_S
        )

    def add(self, name: str, facts: Facts) -> RunMetrics:
        """Also serve this run; if another of its name is running, a number is added to the name."""
        label, number = name, 1
        while (other := self._runs.get(label)) is not None and other.facts.reason is None:
            number += 1
            label = f"{name}-{number}"
        self._told.discard(label)
        self._runs[label] = run = RunMetrics(label, facts)
        return run

    def remove(self, run: RunMetrics) -> bool:
        """Serve ``run`` no longer; whether none is left."""
        if self._runs.get(run.label) is run:
            del self._runs[run.label]
        for path, labels in list(self._files.items()):
            labels.discard(run.label)
            if not labels:
                del self._files[path]
                path.unlink(missing_ok=True)
        return not self._runs

    def announce(self, path: Path, host: str, run: RunMetrics) -> None:
        """Write a file for Prometheus's file-based service discovery; see `Exporter`."""
        _write_targets(path, f"{host}:{self.port}")
        self._files.setdefault(path, set()).add(run.label)

    def withdraw(self) -> None:
        """Remove the files that name this endpoint."""
        for path in self._files:
            path.unlink(missing_ok=True)
        self._files.clear()

    def close(self) -> None:
        """Stop serving."""
        self._server.close()


@atexit.register
def _at_exit() -> None:
    """The process ends: Prometheus hears of the end of its runs, and finds no file left over.

    A file that is left over would tell that the driver died.
    """
    mine = [endpoint for endpoint in _endpoints.values() if endpoint.pid == os.getpid()]
    deadline = time.monotonic() + LINGER_S
    with contextlib.suppress(KeyboardInterrupt):
        awaited = [endpoint for endpoint in mine if endpoint.is_awaited]
        if awaited:
            logger.info("waiting at most %.0f s for Prometheus to read the end", LINGER_S)
            while time.monotonic() < deadline and any(one.is_awaited for one in awaited):
                time.sleep(0.05)
            time.sleep(_ON_ITS_WAY_S)
    for endpoint in mine:
        endpoint.withdraw()


class Exporter:
    """One run's place at an endpoint.

    ``host``, ``port``: where to listen; port 0 takes a free one. Runs of one process
    that name the same port share it. ``sd_file``: the file to write for Prometheus's
    file-based service discovery, with ``public_host`` as the address; it is removed
    with the run. Raises `InvalidArgument` where the port is taken or the file cannot
    be written.
    """

    def __init__(
        self,
        name: str,
        facts: Facts,
        *,
        host: str,
        port: int,
        public_host: str,
        sd_file: str | None,
    ) -> None:
        with _lock:
            endpoint = _endpoints.get((host, port)) if port else None
            if endpoint is None:
                endpoint = Endpoint(host, port)
                _endpoints[host, endpoint.port] = endpoint
            self._endpoint = endpoint
            self._run = endpoint.add(name, facts)
            self._is_gone = False
            try:
                if sd_file is not None:
                    endpoint.announce(Path(os.path.expanduser(sd_file)), public_host, self._run)
            except InvalidArgument:
                self._leave()
                raise
        self.url = f"http://{public_host}:{endpoint.port}/metrics"

    def update(self, status: Status, supervisor: Supervisor) -> None:
        """Serve this ``status`` of the bus from now on."""
        facts = self._run.facts
        facts.restarts, facts.replay_s = supervisor.restarts, supervisor.replay_s
        facts.suggested = supervisor.suggester.tally
        for process, pid in (("bus", supervisor.pid), ("driver", os.getpid())):
            figures = process_figures(pid)
            if figures is not None:
                facts.processes[process] = figures
        if "bus" in facts.processes:  # the status counts on where the bus before had stopped
            bus = facts.processes["bus"]
            facts.processes["bus"] = bus._replace(cpu_s=status.bus.process_cpu_s)
        facts.taken_at = time.monotonic()
        facts.status = status

    def end(self, reason: str, *, is_dead: bool) -> None:
        """The run is over; ``is_dead``: since its bus ended for good."""
        facts = self._run.facts
        facts.is_dead, facts.end_time = is_dead, time.time()
        facts.reason = reason

    def close(self, *, at_once: bool = False) -> None:
        """Serve no longer than 15 s from now on, which does not block."""
        if at_once:
            self._close()
            return
        timer = threading.Timer(LINGER_S, self._close)
        timer.daemon = True
        timer.start()

    def _close(self) -> None:
        with _lock:
            self._leave()

    def _leave(self) -> None:
        if self._is_gone:
            return
        self._is_gone = True
        if self._endpoint.remove(self._run):
            del _endpoints[self._endpoint.host, self._endpoint.port]
            self._endpoint.close()


def _write_targets(path: Path, target: str) -> None:
    """Name ``target`` in the file at ``path``, which is there whole or not at all."""
    targets: list[dict[str, Any]] = [{"targets": [target], "labels": {"job": "asha_bus"}}]
    try:
        handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}-")
        with os.fdopen(handle, "w") as file:
            json.dump(targets, file)
        os.chmod(temporary, 0o644)  # Prometheus is another user
        os.replace(temporary, path)
    except OSError as error:
        raise InvalidArgument(
            f"BusOptions: sd_file {os.fspath(path)!r} cannot be written: {error.strerror}. Give a "
            f"file in an existing folder to which you may write"
        ) from error
