"""The states of paused trials that were dropped: the user's own hooks write and read them."""

from __future__ import annotations

import json
import logging
import os
import shutil
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from asha_bus.core.attempt import Attempt, Progress
from asha_bus.core.errors import ObjectiveError
from asha_bus.objective.states import path_of, remove_states, states_folder

logger = logging.getLogger("asha_bus.executor")

#: Gets the path of a file or folder, to write a state to it or to read it.
Hook = Callable[[str], object]

#: In the folder of a saved state: what the user's hook wrote, and how far the trial was.
_STATE = "state"
_PROGRESS = "progress.json"


class LoadFailed(BaseException):
    """Raised inside an objective that cannot continue from its saved state.

    It derives from `BaseException`, so an ``except Exception`` in the objective does not catch
    it. The trial is trained from the start.
    """


class States:
    """Saved states of the run's trials in ``folder``, which all of its workers see."""

    def __init__(self, folder: str) -> None:
        self._folder = states_folder(folder)
        #: The attempts that this worker has saved, by trial.
        self._saved: dict[int, int] = {}

    def _path(self, trial: int, attempt: int) -> Path:
        return path_of(self._folder, trial, attempt)

    def save(self, attempt: Attempt, save: Hook) -> None:
        """Have ``save`` write the state of ``attempt``; raises what it raises, or `OSError`."""
        trial, number = attempt.assignment.trial, attempt.assignment.attempt
        path = self._path(trial, number)
        self._folder.mkdir(mode=0o700, exist_ok=True)  # its parent must be there: all share it
        self.remove(trial, number)  # of an earlier launch, whose journal has lost its end
        path.mkdir()
        try:
            save(os.fspath(path / _STATE))
            if not any(path.iterdir()):
                raise ObjectiveError(
                    "the save function of trial.checkpoint wrote nothing; have it write a file or "
                    "a folder at the path that it gets"
                )
            (path / _PROGRESS).write_text(json.dumps(attempt.progress))
        except BaseException:
            self.remove(trial, number)
            raise
        self._saved[trial] = number

    def load(self, attempt: Attempt, load: Hook) -> None:
        """Have ``load`` read the state from which ``attempt`` begins; raises what it raises."""
        path = self._path(attempt.assignment.trial, attempt.assignment.saved)
        progress = Progress(*json.loads((path / _PROGRESS).read_text()))
        load(os.fspath(path / _STATE))
        attempt.restore(progress)

    def remove(self, trial: int, attempt: int) -> None:
        """Remove a saved state, if it is there."""
        try:
            shutil.rmtree(self._path(trial, attempt))
        except FileNotFoundError:
            pass  # another worker has loaded it, and removed it
        except OSError as error:
            logger.warning("a saved state stays until the end of the run: %s", error)

    def remove_all(self) -> None:
        """Remove all saved states of the run."""
        with suppress(OSError):  # another worker may be at it
            remove_states(self._folder, ignore_errors=True)

    def forget(self, trial: int) -> None:
        """Remove what this worker saved of ``trial``, which does not continue."""
        attempt = self._saved.pop(trial, None)
        if attempt is not None:
            self.remove(trial, attempt)
