"""The files of a result: it is read from a journal, and saved to and loaded from a file."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from asha_bus.core.checks import PATH, Rule, check
from asha_bus.core.errors import InvalidArgument
from asha_bus.core.events import Ended
from asha_bus.core.schedulers import Schedulers
from asha_bus.core.space import Space
from asha_bus.formats import saved
from asha_bus.formats.journal import reading, replay
from asha_bus.results.journals import read_journal, read_open, uncollected
from asha_bus.results.records import UNFINISHED, BusReport, TrialRecord

if TYPE_CHECKING:
    from asha_bus.results.result import Result

_PLACE = Rule("the path of the file to write", PATH.holds)
_NUMBER = Rule("a number", types=(int, float))
_RESIDENTS = Rule(
    "the number of paused trials by worker",
    lambda value: all(type(name) is str and type(n) is int for name, n in value.items()),
    (dict,),
)


#: How a result ends whose journal has no end of the run.
NOT_ENDED = Ended(UNFINISHED, "it is running, or was interrupted; pass resume=True to continue it")


class Files:
    """How a `Result` is read and written."""

    @classmethod
    def from_journal(
        cls,
        path: str | os.PathLike[str],
        space: Space | None = None,
        schedulers: Schedulers = (),
    ) -> Result:
        """Read the result of a run from its journal, during or after the run.

        Nothing in a journal is imported or executed, so you can read a stranger's.

        Args:
            path: The journal's file.
            space: The run's space. None (default): it is read from the journal, and options
                that are not plain data are shown by their repr.
            schedulers: The scheduler's class, if it is not one of asha-bus.

        Returns:
            The result, with reason ``unfinished`` if the journal has no end of the run.

        Raises:
            InvalidArgument: The file cannot be opened.
            JournalError: The file is not a journal, is damaged, or names an unknown scheduler.

        Example:
            >>> result = ab.Result.from_journal("run.journal")
        """
        with uncollected():
            return cls._replayed(read_journal(path), os.fspath(path), space, schedulers)

    @classmethod
    def _of_open_journal(cls, fd: int, space: Space, schedulers: Schedulers) -> Result:
        """The same of a journal that is open as ``fd``."""
        with uncollected():
            return cls._replayed(read_open(fd), "of this run", space, schedulers)

    @classmethod
    def _replayed(
        cls, data: bytes, where: str, space: Space | None, schedulers: Schedulers
    ) -> Result:
        replayed = replay(data, where, schedulers)
        experiment = replayed.experiment
        known = replayed.header.read_space(where) if space is None else space
        with reading(where, "its trials are not of this space"):
            trials = [
                TrialRecord.from_row(
                    trial.to_row(),
                    known,
                    reports=trial.curve,
                    extra_curves=trial.extra_curves,
                    kept_in=experiment.settings.keeps,
                )
                for trial in experiment.table.trials
            ]
            for trial in trials:
                known.branch_of(trial.point)
        ended = experiment.ended or NOT_ENDED
        return cast("type[Result]", cls)(
            name=replayed.header.name,
            mode=experiment.settings.mode,
            seed=experiment.settings.seed,
            space=known,
            trials=trials,
            reason=ended.reason,
            message=ended.message,
            elapsed_s=replayed.now,
            bus=BusReport.from_journal(experiment, replayed.now),
            settings=experiment.settings,
            trial_warnings=tuple(experiment.table.warnings.values()),
            rungs=experiment.scheduler.rungs(),
        )

    @classmethod
    def load(
        cls,
        path: str | os.PathLike[str],
        space: Space | None = None,
        schedulers: Schedulers = (),
    ) -> Result:
        """Load a result that `save` wrote.

        Nothing in the file is imported or executed, so you can load a stranger's.

        Args:
            path: The file.
            space: The run's space. None (default): it is read from the file, and options that
                are not plain data are shown by their repr.
            schedulers: The scheduler's class, if it is not one of asha-bus.

        Returns:
            The result, which can do all that the saved one could but `refit`, since the file
            does not hold the objective.

        Raises:
            InvalidArgument: The file cannot be opened.
            JournalError: The file is not a saved result, is damaged, or names an unknown
                scheduler.

        Example:
            >>> result = ab.Result.load("run.result")
        """
        return cls._loaded(
            read_journal(path, what="saved result"), os.fspath(path), space, schedulers
        )

    @classmethod
    def _loaded(
        cls, data: bytes, where: str, space: Space | None, schedulers: Schedulers
    ) -> Result:
        found = saved.decode(data, where, schedulers)
        known = found.space if space is None else space
        with reading(where, "its trials are not of this space"):
            kept_in = "" if found.settings is None else found.settings.keeps
            trials = [
                TrialRecord.from_row(row, known, log, reports, extra_curves, kept_in)
                for row, log, reports, extra_curves in found.trials
            ]
            for trial in trials:
                known.branch_of(trial.point)
        with reading(where, "its figures of the bus cannot be read"):
            bus = _bus_from(found.bus)
        given = {**found._asdict(), "space": known, "trials": trials, "bus": bus}
        return cast("type[Result]", cls)(**given)

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Save the result to a file, which `load` and ``asha-bus compare`` read.

        The file is complete or it is not there: it replaces an older one at once. It holds
        plain data: trials, curves, logs, decisions, the space and the settings, but not the
        objective. It is for everybody who can read the folder.

        Args:
            path: The file to write.

        Returns:
            The file's path.

        Raises:
            InvalidArgument: The file cannot be written.

        Example:
            >>> path = result.save("run.result")
        """
        check("path", path, _PLACE)
        written = Path(os.path.expanduser(path))
        data = saved.encode(_parts_of(cast("Result", self)))
        with writing(f"path: the result cannot be saved to {os.fspath(path)!r}"):
            _replace(written, data)
        return written


@contextmanager
def writing(failure: str) -> Iterator[None]:
    """Raise `InvalidArgument` where a file cannot be written: ``failure``, and the reason."""
    try:
        yield
    except (OSError, ValueError) as error:  # ValueError: a path with a null byte
        reason = getattr(error, "strerror", None) or error
        raise InvalidArgument(
            f"{failure}: {reason}; pass the path of a file in a folder that exists"
        ) from error


def _parts_of(result: Result) -> saved.SavedResult:
    trials = [
        saved.SavedTrial(trial.to_row(), trial.log, trial.reports, trial.extra_curves)
        for trial in result.trials
    ]
    return saved.SavedResult(
        result.name,
        result.mode,
        result.seed,
        result.space,
        result.settings,
        result.reason,
        result.message,
        result.elapsed_s,
        {**asdict(result.bus), "residents": dict(result.bus.residents)},
        result.trial_warnings,
        result.rungs,
        trials,
    )


def _bus_from(plain: Mapping[str, Any]) -> BusReport:
    """The report; figures that a later version may have added are left out."""
    known = {field.name for field in fields(BusReport)}
    for name in known & set(plain):
        check(name, plain[name], _RESIDENTS if name == "residents" else _NUMBER)
    return BusReport(**{name: value for name, value in plain.items() if name in known})


def _replace(path: Path, data: bytes) -> None:
    """Write ``data`` beside ``path``, then put it in its place."""
    beside = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    fd = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666)
    try:
        with os.fdopen(fd, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(fd)
        os.replace(beside, path)
    except BaseException:
        with suppress(OSError):
            os.unlink(beside)
        raise
