"""Lists the runs of a folder: its journals and saved results."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from asha_bus.core.checks import PATH, Rule, check, cut, shown_params
from asha_bus.core.errors import AshaBusError, InvalidArgument
from asha_bus.core.schedulers import Schedulers
from asha_bus.formats.journal import MAGIC, is_journal, read_header, reading, replay
from asha_bus.formats.records import FRAME, MAX_RECORD_BYTES
from asha_bus.formats.saved import is_saved_result
from asha_bus.results.files import NOT_ENDED
from asha_bus.results.journals import read_journal, uncollected
from asha_bus.results.records import TrialRecord
from asha_bus.results.result import read_result
from asha_bus.results.tables import table

_FOLDER = Rule("the path of a folder", PATH.holds)

#: The most bytes that tell what a file is, and how long the header of a journal is.
_BEGINNING = len(MAGIC) + FRAME.size


@dataclass(frozen=True)
class RunFile:
    """A journal or a saved result in a folder; `runs` lists them.

    Attributes:
        path: The file.
        name: The run's name; empty if the file cannot be read.
        when: When the run began, in seconds since the epoch; None if that is not known.
        changed: When the file changed last, in seconds since the epoch.
        state: Why the run ended, as `Result.reason`: ``unfinished`` if it is running or was
            interrupted. None if only headers were read, or if the file cannot be read.
        trials: The number of trials that were begun; None as for ``state``.
        best: The best trial; None as for ``state``, or if no trial has a usable metric.
        problem: Why the file cannot be read; empty if it can.

    Example:
        >>> unreadable = [one.path for one in ab.runs("journals") if one.problem]
    """

    path: Path
    name: str
    when: float | None
    changed: float
    state: str | None = None
    trials: int | None = None
    best: TrialRecord | None = None
    problem: str = ""


class Runs(tuple[RunFile, ...]):
    """What `runs` returns. Printed, it is a table."""

    __slots__ = ()

    def __repr__(self) -> str:
        if not self:
            return "no journal and no saved result"
        rows = [
            (
                one.path.name,
                one.name,
                "" if one.when is None else _shown(one.when),
                "" if one.trials is None else str(one.trials),
                one.state or "",
                "" if one.best is None or one.best.metric is None else f"{one.best.metric:.6g}",
                one.problem or ("" if one.best is None else cut(shown_params(one.best.params), 60)),
            )
            for one in self
        ]
        head = ("file", "name", "began", "trials", "state", "best", "best params, or what is wrong")
        return table(rows, head=head, left=(0, 1, 2, 4, 6))


def runs(
    folder: str | os.PathLike[str], *, headers: bool = False, schedulers: Schedulers = ()
) -> Runs:
    """List the journals and saved results in a folder, those that began last first.

    Other files are left out. A file that looks like one of these but cannot be read is listed
    with the ``problem``. Nothing in the files is imported or executed.

    Args:
        folder: The folder; the folders in it are not searched.
        headers: True reads only the beginning of each journal, which takes no time: the
            ``state``, the ``trials`` and the ``best`` one of journals are then None. Default
            False.
        schedulers: The classes of the runs' schedulers that are not of asha-bus.

    Returns:
        A `RunFile` for each. Printed, it is a table.

    Raises:
        InvalidArgument: The folder cannot be read.

    Example:
        >>> latest = ab.runs("journals")[0]
    """
    check("folder", folder, _FOLDER)
    try:
        with os.scandir(os.path.expanduser(folder)) as entries:
            files = [Path(entry.path) for entry in entries if _is_file(entry)]
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or error
        raise InvalidArgument(
            f"folder: {os.fspath(folder)!r} cannot be read: {why}; pass the path of a folder"
        ) from error
    found = [one for path in files if (one := _read(path, headers, schedulers)) is not None]
    return Runs(sorted(found, key=lambda one: (-(one.when or one.changed), one.path)))


def _is_file(entry: os.DirEntry[str]) -> bool:
    """Whether it is a file; a link that leads round in a circle is none."""
    try:
        return entry.is_file()
    except OSError:
        return False


def _read(path: Path, headers: bool, schedulers: Sequence[type]) -> RunFile | None:
    """What the file at ``path`` is; None: neither a journal nor a saved result."""
    try:
        changed = path.stat().st_mtime
    except OSError:
        return None  # it has just been removed
    try:
        beginning = read_journal(path, most=_BEGINNING)
    except AshaBusError as error:  # it may be a journal: that of another user, for instance
        return RunFile(path, "", None, changed, problem=str(error))
    if not (is_journal(beginning) or is_saved_result(beginning)):
        return None
    name, when = "", None
    try:
        if is_journal(beginning):
            name, when = _header(path, beginning, schedulers)
            if headers:
                return RunFile(path, name, when, changed)
            return _journal(path, when, changed, schedulers)
        result = read_result(path, schedulers)
    except AshaBusError as error:
        problem = str(error).removeprefix(f"{path}: ")
        return RunFile(path, name, when, changed, problem=problem)
    return RunFile(
        path,
        result.name,
        None if result.settings is None else result.settings.epoch,
        changed,
        result.reason,
        len(result.trials),
        result.best,
    )


def _journal(path: Path, when: float, changed: float, schedulers: Schedulers) -> RunFile:
    """What the journal at ``path`` tells, in half of the time of a whole result."""
    where = str(path)
    with uncollected():
        replayed = replay(read_journal(path), where, schedulers)
        header, experiment = replayed.header, replayed.experiment
        leader, ended = experiment.table.leader, experiment.ended or NOT_ENDED
        best = None
        if leader is not None:
            with reading(where, "its trials are not of this space"):
                space, kept_in = header.read_space(where), experiment.settings.keeps
                best = TrialRecord.from_row(
                    leader.to_row(),
                    space,
                    reports=leader.curve,
                    extra_curves=leader.extra_curves,
                    kept_in=kept_in,
                )
        trials = len(experiment.table)
    return RunFile(path, header.name, when, changed, ended.reason, trials, best)


def _header(path: Path, beginning: bytes, schedulers: Schedulers) -> tuple[str, float]:
    """The name of the run of a journal, and when it began."""
    length = FRAME.unpack(beginning[len(MAGIC) :])[0] if len(beginning) == _BEGINNING else 0
    data = read_journal(path, most=_BEGINNING + min(length, MAX_RECORD_BYTES))
    header, _ = read_header(data, str(path), schedulers)
    return header.name, header.settings.epoch


def _shown(when: float) -> str:
    return datetime.fromtimestamp(when).astimezone().strftime("%Y-%m-%d %H:%M")
