"""Where workers save the states of paused trials, and keep what the best trials attach."""

from __future__ import annotations

import logging
import os
import secrets
import tempfile
from collections.abc import Iterable
from pathlib import Path

from asha_bus.core.checks import shortened
from asha_bus.core.errors import InvalidArgument
from asha_bus.core.schedulers import Scheduler
from asha_bus.core.trial import TrialState
from asha_bus.launching.arguments import LaunchArguments
from asha_bus.objective.behind import Shape
from asha_bus.objective.kept import is_address
from asha_bus.objective.kept_remote import RemoteStore
from asha_bus.objective.states import remove_states, states_folder
from asha_bus.objective.stores import store_at
from asha_bus.results.records import TrialRecord

logger = logging.getLogger("asha_bus")


def folders_for(
    given: LaunchArguments, scheduler: Scheduler, shape: Shape, run: str
) -> tuple[str, str]:
    """The folders of the run ``run`` for saved states and for what its trials attach; empty: none.

    Workers make the first one when they need it. States are only saved in folders: at an address
    they have none, as without ``artifacts``. Raises `InvalidArgument` if nothing can be written
    to ``artifacts``, or the folder of the run would lie elsewhere.
    """
    address = _address(given)
    parent = _parent(given) if address is None else None
    keeps = ""
    if address is not None:
        keeps = _place_at(address, run)
    elif parent is not None:
        keeps = os.fspath(parent / f"{_name_of(run)}-kept")
    if not scheduler.pauses or shape is not Shape.TRIAL:
        return "", keeps
    if parent is not None:
        return os.fspath(parent / _name_of(run)), keeps
    if given.engine != "local":
        return "", keeps
    return os.path.join(tempfile.gettempdir(), f"asha-bus-{secrets.token_hex(16)}"), keeps


def _place_at(address: str, run: str) -> str:
    """The place at ``address`` for what the trials of ``run`` attach, where a file is tried."""
    if not is_address(address.rstrip("/")):
        raise InvalidArgument(
            f"artifacts={address!r} names no place there; append a bucket or a folder, as in "
            f"'s3://bucket/folder'"
        )
    place = f"{address.rstrip('/')}/{_name_of(run)}-kept"
    try:
        RemoteStore(place).probe()
    except Exception as error:  # each file system has errors of its own
        raise InvalidArgument(
            f"artifacts={address!r} cannot be written to: {error}; install what the address "
            f"needs, also on the executors, give them the rights, or pass a folder that all "
            f"workers see"
        ) from error
    return place


def is_folder_given(given: LaunchArguments) -> bool:
    """Whether ``artifacts`` is a folder, in which the next launch finds saved states."""
    return given.artifacts is not None and _address(given) is None


def _address(given: LaunchArguments) -> str | None:
    """``artifacts`` as an address for fsspec; None: it is a folder, or nothing."""
    place = given.artifacts
    if not isinstance(place, str) or not is_address(place):
        return None
    if place.startswith("memory:"):
        raise InvalidArgument(
            f"artifacts={place!r} is the memory of one process, and each worker is another one; "
            f"pass a folder or a store that all of them see"
        )
    return place


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
    parent = Path(_mounted(os.fspath(given.artifacts))).absolute()
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


def _mounted(path: str) -> str:
    """The folder as which Databricks shows ``dbfs:/...`` on each machine; else ``path``."""
    return f"/dbfs/{path[len('dbfs:') :].lstrip('/')}" if path.startswith("dbfs:/") else path


def tidy(folder: str, trials: Iterable[TrialRecord] | None) -> None:
    """Remove what no completed trial has attached, once the workers have ended.

    ``trials`` None: they are not known, so only what was never finished goes.
    """
    if not folder:
        return
    try:
        store = store_at(folder)
        if trials is not None:
            ended = {(t.id, t.attempts) for t in trials if t.state is TrialState.COMPLETED}
            for entry in store.entries():
                if (entry.trial, entry.attempt) not in ended:
                    store.remove(entry)
        store.remove_unfinished()
    except (OSError, ImportError, ValueError) as error:
        logger.warning("the artifacts in %s could not be tidied up: %s", folder, error)


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
