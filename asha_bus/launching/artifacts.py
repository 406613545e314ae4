"""Where workers save the states of paused trials that they cannot keep in memory."""

from __future__ import annotations

import logging
import os
import secrets
import tempfile
from pathlib import Path

from asha_bus.core.checks import shortened
from asha_bus.core.errors import InvalidArgument
from asha_bus.core.schedulers import Scheduler
from asha_bus.launching.arguments import LaunchArguments
from asha_bus.objective.behind import Shape
from asha_bus.objective.states import remove_states, states_folder

logger = logging.getLogger("asha_bus")


def folder_for(given: LaunchArguments, scheduler: Scheduler, shape: Shape, run: str) -> str:
    """The folder of the run ``run``, which its workers make when they need it; empty: none.

    Raises `InvalidArgument` if ``artifacts`` is not a folder in which that is possible, or the
    folder of the run would lie elsewhere.
    """
    parent = _parent(given)
    if not scheduler.pauses or shape is not Shape.TRIAL:
        if parent is not None:
            logger.warning(
                "artifacts=%s is not used: states are saved only for objectives that take trial, "
                "with a scheduler that pauses trials",
                parent,
            )
        return ""
    if parent is not None:
        return os.fspath(parent / _name_of(run))
    if given.engine != "local":
        return ""
    return os.path.join(tempfile.gettempdir(), f"asha-bus-{secrets.token_hex(16)}")


def _name_of(run: str) -> str:
    """The name of the folder of ``run``, which may come from a journal that somebody else wrote."""
    name = f"asha-bus-{run}"
    if os.sep in name or "\0" in name:
        raise InvalidArgument(
            f"artifacts has no folder for the run {shortened(run)}, whose id in the journal is not "
            f"one that asha-bus gives; resume without artifacts, or use another journal"
        )
    return name


def _parent(given: LaunchArguments) -> Path | None:
    if given.artifacts is None:
        return None
    parent = Path(given.artifacts).absolute()
    if not parent.is_dir():
        what = "is not a folder" if parent.exists() else "does not exist"
        raise InvalidArgument(
            f"artifacts must be an existing folder that all workers see, but "
            f"{shortened(os.fspath(parent))} {what}; make it, or give another path"
        )
    if not os.access(parent, os.W_OK | os.X_OK):
        raise InvalidArgument(
            f"artifacts must be a folder that can be written to, but "
            f"{shortened(os.fspath(parent))} cannot; change its permissions, or give another path"
        )
    return parent


def remove(folder: str) -> None:
    """Remove the folder of a run that has ended, with all states in it; empty: there is none."""
    if not folder:
        return
    try:
        remove_states(states_folder(folder))
    except FileNotFoundError:
        pass  # nothing was saved
    except OSError as error:
        logger.warning("the saved states in %s could not be removed: %s", folder, error)
