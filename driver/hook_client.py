"""The process of users' hooks, seen from the user's process."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from asha_bus.core.errors import InvalidArgument
from asha_bus.core.events import StopRun, StopTrial
from asha_bus.core.trial import FINAL, TrialRow, TrialState
from asha_bus.driver import process
from asha_bus.driver.companion import Companion, Kind
from asha_bus.formats import pipe
from asha_bus.searchers.hooks import Hooks


class HookClient:
    """Tells the hooks' process what is new, and the bus what is to stop.

    ``pickled``: the `Hooks`, as that process gets them. A process that is killed is
    restarted, and told of all trials that may still be stopped.
    """

    def __init__(self, hooks: Hooks, pickled: bytes) -> None:
        self._hooks, self._pickled = hooks, pickled
        #: What another process has to be told: the trials that have not ended, and the run.
        self._rows: dict[int, TrialRow] = {}
        self._standing: pipe.Standing | None = None
        self._process = Companion(
            Kind("asha_bus.driver.hook_process", hooks.names, "an answer"),
            opening=self._opening,
            on_frame=self._on_frame,
            on_failure=lambda why: self._on_failure(why),
        )

    def open(
        self, stop: Callable[[StopTrial | StopRun], None], on_failure: Callable[[str], None]
    ) -> None:
        """Begin; both are called from a thread. ``on_failure`` gets why no hook is asked."""
        self._stop, self._on_failure = stop, on_failure
        self._process.open()

    def observe(self, row: TrialRow) -> None:
        """A trial entered a rung or ended."""
        if self._hooks.stop_trial is None or not row.rungs:
            return
        with self._process.lock:
            if TrialState(row.state) not in FINAL:
                self._rows[row.id] = row
            elif self._rows.pop(row.id, None) is None:
                return  # a rung has stopped it at once, or a new bus tells it again
            self._process.tell(pipe.Observe(row))

    def sum_up(self, standing: pipe.Standing) -> None:
        """How the run stands."""
        if self._hooks.stop_run is not None:
            with self._process.lock:
                self._standing = standing
                self._process.tell(standing)

    def close(self) -> None:
        """Ask no more."""
        self._process.close()

    def _opening(self) -> Iterator[Any]:
        yield pipe.HookSetup(self._pickled, process.import_paths())
        for row in self._rows.values():
            yield pipe.Observe(row)
        if self._standing is not None:
            yield self._standing

    def _on_frame(self, frame: pipe.Stop | pipe.Progress) -> None:
        if isinstance(frame, pipe.Stop):
            self._stop(StopRun("stop_run") if frame.trial is None else StopTrial(frame.trial))


def make_hooks(hooks: Hooks, dumps: Callable[[Any], bytes]) -> HookClient | None:
    """What asks ``hooks``; None where there are none. ``dumps``: pickles them.

    Raises `InvalidArgument` where one cannot be pickled.
    """
    for name, hook in (("stop_trial", hooks.stop_trial), ("stop_run", hooks.stop_run)):
        try:
            dumps(hook)
        except Exception as error:  # whatever it holds may refuse
            raise InvalidArgument(
                f"{name} cannot be sent to a process of its own: {error!r}; make what it needs "
                f"when it is first called"
            ) from error
    return HookClient(hooks, dumps(hooks)) if hooks.names else None
