"""Follows a run by its journal, wherever it runs, and shows it on the live page."""

from __future__ import annotations

import os
import threading
import time
from pathlib import Path

from asha_bus.core.errors import InvalidArgument
from asha_bus.core.status import changes, status
from asha_bus.formats.journal import Replayer
from asha_bus.formats.space_form import space_from
from asha_bus.monitors.base import REFRESH_S, Monitor, RunInfo, dispatch
from asha_bus.monitors.live import Live
from asha_bus.monitors.page import Page
from asha_bus.results.result import Result

#: Trials and reports that are taken over at a time.
_AT_A_TIME = 1_000


class JournalFollower:
    """The run in the journal at ``path``, as far as it was written, for a monitor.

    Raises `InvalidArgument` where there is no such file, `JournalError` where it cannot
    be read, then and with each `refresh`.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self._path = Path(path)
        self._replayer = Replayer(self._read(0), os.fspath(path))
        header = self._replayer.header
        settings = header.settings
        space = space_from(header.space)
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
        replayer.feed(self._read(replayer.end))
        replayer.result()  # raises where the next record is damaged, and not just unfinished
        events = self.live.refresh(to_the_end=True)
        for event in events:
            dispatch(monitor, event)
        monitor.on_refresh(self.live.snapshot(status(self._experiment, replayer.now)))

    def result(self) -> Result:
        """The run as the journal tells it by now."""
        return Result.from_journal(self._path)

    def _read(self, begin: int) -> bytes:
        try:
            with self._path.open("rb") as file:
                file.seek(begin)
                return file.read()
        except OSError as error:
            raise InvalidArgument(
                f"the journal {os.fspath(self._path)!r} cannot be read: {error.strerror}"
            ) from error


def watch(path: str | os.PathLike[str], port: int = 0) -> None:
    """Serve the live page of the run in the journal at ``path``, until Ctrl-C.

    ``port``: 0 takes a free one. Raises as `JournalFollower` does, and `InvalidArgument`
    where the port is taken.
    """
    follower = JournalFollower(path)
    page = Page(follower.name, port)
    try:
        print(f"{follower.name}: {page.url} (Ctrl-C ends this)", flush=True)
        while not follower.is_over:
            follower.refresh(page)
            if not follower.is_over:
                time.sleep(REFRESH_S)
        page.on_finish(follower.result())
        print(f"{follower.name} has ended; the page stays until Ctrl-C", flush=True)
        threading.Event().wait()
    finally:
        page.close()
