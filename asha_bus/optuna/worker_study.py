"""What an objective may do with ``trial.study`` in a worker, where the study itself is not."""

from __future__ import annotations

from typing import TYPE_CHECKING

from optuna.study import StudyDirection

from asha_bus.core.errors import ObjectiveError


class WorkerStudy:
    """The name and the direction of a study, and a way to stop it.

    Any other attribute is refused in words, since trials of other workers are not known here.
    """

    def __init__(self, study_name: str, direction: StudyDirection) -> None:
        self.study_name, self.direction = study_name, direction
        #: Whether `stop` was called in this trial.
        self.is_stopped = False

    @property
    def directions(self) -> list[StudyDirection]:
        """The one direction."""
        return [self.direction]

    def stop(self) -> None:
        """Have the study stop once this trial has ended; trials that run then end first."""
        self.is_stopped = True

    if not TYPE_CHECKING:  # which knows the attributes there are

        def __getattr__(self, name):
            if name.startswith("__"):  # of copies and pickles
                raise AttributeError(name)
            raise ObjectiveError(
                f"trial.study.{name}: the study is in the program's process, and a worker has its "
                f"study_name, direction and stop() alone; use a callback of optimize(), and "
                f"pass values to the objective by a closure"
            )
