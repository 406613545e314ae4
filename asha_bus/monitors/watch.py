"""Follows a run by its journal, wherever it runs, and shows it on the live page."""

from __future__ import annotations

import os
import threading
import time

from asha_bus.core.schedulers import Schedulers
from asha_bus.core.status import changes, status
from asha_bus.formats.journal import Replayer, reading
from asha_bus.monitors.base import REFRESH_S, Monitor, RunInfo, dispatch
from asha_bus.monitors.live import Live
from asha_bus.monitors.page import Page
from asha_bus.results.journals import read_journal
from asha_bus.results.result import Result
from asha_bus.results.tables import visible

#: Trials and reports that are taken over at a time.
_AT_A_TIME = 1_000


class JournalFollower:
    """The run in the journal at ``path``, as far as it was written, for a monitor.

    Raises `InvalidArgument` where there is no such file, `JournalError` where it cannot
    be read, then and with each `refresh`. ``schedulers``: see `Result.from_journal`.
    """

    def __init__(self, path: str | os.PathLike[str], schedulers: Schedulers = ()) -> None:
        self._path = os.fspath(path)
        self._schedulers = schedulers
        self._replayer = Replayer(read_journal(path), self._path, schedulers)
        header = self._replayer.header
        settings = header.settings
        space = header.read_space(self._path)
        experiment = self._replayer.experiment
        info = RunInfo.of(header.name, settings, space, path)
        self.live = Live(info, space, lambda: changes(experiment, _AT_A_TIME, _AT_A_TIME), settings)
        self._experiment = experiment

    @property
    def name(self) -> str:
        """The run's name."""
        return self.live.info.name

    @property
    def is_over(self) -> bool:
        """Whether the journal tells of the end."""
        return self._experiment.ended is not None

    def refresh(self, monitor: Monitor) -> None:
        """Read on, and tell ``monitor`` what is new."""
        replayer = self._replayer
        replayer.forget()
        replayer.feed(read_journal(self._path, replayer.end))
        replayer.result()  # raises where the next record is damaged, and not just unfinished
        with reading(self._path, "its trials are not of its space"):
            events = self.live.refresh(to_the_end=True)
            snapshot = self.live.snapshot(status(self._experiment, replayer.now))
        for event in events:
            dispatch(monitor, event)
        monitor.on_refresh(snapshot)

    def result(self) -> Result:
        """The run as the journal tells it by now."""
        return Result.from_journal(self._path, schedulers=self._schedulers)


def watch(path: str | os.PathLike[str], port: int = 0, schedulers: Schedulers = ()) -> None:
    """Serve the live page of the run in the journal at ``path``, until Ctrl-C.

    ``port``: 0 takes a free one. Raises as `JournalFollower` does, and `InvalidArgument`
    where the port is taken.
    """
    follower = JournalFollower(path, schedulers)
    page = Page(follower.name, port)
    name = visible(follower.name)
    try:
        print(f"{name}: {page.url} (Ctrl-C ends this)", flush=True)
        while not follower.is_over:
            follower.refresh(page)
            if not follower.is_over:
                time.sleep(REFRESH_S)
        page.on_finish(follower.result())
        print(f"{name} has ended; the page stays until Ctrl-C", flush=True)
        threading.Event().wait()
    finally:
        page.close()
