"""What a run came to: its trials, the best of them, and why it ended."""

from __future__ import annotations

import html
import os
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from asha_bus.core.errors import AshaBusError, InvalidArgument
from asha_bus.core.events import Ended, RunSettings
from asha_bus.core.schedulers import Schedulers
from asha_bus.core.space import Space
from asha_bus.core.trial import TrialState
from asha_bus.core.trials import leading, ranked_trials
from asha_bus.formats.journal import replay
from asha_bus.formats.space_form import space_from
from asha_bus.results.branches import Branches, BranchRecord
from asha_bus.results.configurations import Configurations, configurations_of
from asha_bus.results.explain import explain, has_brackets, ranks
from asha_bus.results.records import BusReport, TrialRecord, repeats_of

if TYPE_CHECKING:
    import pandas
    from matplotlib.axes import Axes

#: So many trials are shown by repr and in a notebook.
_SHOWN = 10


#: The reason of a result from a journal that tells of no end.
UNFINISHED = "unfinished"


class Result:
    """What `asha_bus.launch` returns.

    ``trials``: every trial that was begun, by number.
    ``reason``: why the run ended: ``max_trials``, ``max_time``, ``stop_at``,
    ``exhausted`` (every point of a finite space was run), ``stopped`` (by the user)
    or ``failed``; then ``message`` says what happened. ``unfinished``: the journal
    that this was read from tells of no end.
    ``bus``: a `BusReport`.
    """

    def __init__(
        self,
        *,
        name: str,
        mode: str,
        seed: int,
        space: Space,
        trials: Sequence[TrialRecord],
        reason: str,
        message: str,
        elapsed_s: float,
        bus: BusReport,
        settings: RunSettings | None = None,
    ) -> None:
        self.name = name
        self.mode = mode
        self.seed = seed
        self.space = space
        self.trials = tuple(trials)
        self.reason = reason
        self.message = message
        #: Seconds from the start of the bus to the end of the run.
        self.elapsed_s = elapsed_s
        self.bus = bus
        #: What the run was launched with: its scheduler and its limits.
        self.settings = settings

    @classmethod
    def from_journal(
        cls,
        path: str | os.PathLike[str],
        space: Space | None = None,
        schedulers: Schedulers = (),
    ) -> Result:
        """The result of the run in the journal at ``path``, whether it is finished or not.

        Reading a journal runs none of its contents, so one of a stranger may be read.

        Args:
            path: The journal's file.
            space: The run's own space; without it, options that are not plain data are shown
                by their repr.
            schedulers: The scheduler's class, where the run had one of a third party.

        Returns:
            The result; its reason is ``unfinished`` where the run has not ended.

        Raises:
            InvalidArgument: There is no such file.
            JournalError: The file cannot be read, or names an unknown scheduler.

        Example:
            ``Result.from_journal("run.journal").best``
        """
        try:
            data = Path(path).read_bytes()
        except OSError as error:
            raise InvalidArgument(
                f"the journal {os.fspath(path)!r} cannot be read: {error.strerror}"
            ) from error
        replayed = replay(data, os.fspath(path), schedulers)
        experiment = replayed.experiment
        known = space_from(replayed.header.space) if space is None else space
        ended = experiment.ended or Ended(
            UNFINISHED, "it is going on, or was interrupted: go on with it by resume=True"
        )
        return cls(
            name=replayed.header.name,
            mode=experiment.settings.mode,
            seed=experiment.settings.seed,
            space=known,
            trials=[
                TrialRecord.from_row(trial.to_row(), known, reports=trial.curve)
                for trial in experiment.table.trials
            ],
            reason=ended.reason,
            message=ended.message,
            elapsed_s=replayed.now,
            bus=BusReport.from_journal(experiment),
            settings=experiment.settings,
        )

    @property
    def counts(self) -> dict[TrialState, int]:
        """The number of trials in each state."""
        counted = Counter(trial.state for trial in self.trials)
        return {state: counted[state] for state in TrialState}

    @property
    def repeated(self) -> int:
        """How many configurations were the same as an earlier one.

        ``launch(unique=True)`` has none of them; those of ``launch(repeats=...)`` do not count.
        """
        points = [trial.point for trial in self.trials if not trial.repeat]
        return len(points) - len(set(points))

    @property
    def best(self) -> TrialRecord | None:
        """The best trial, or None where none has a usable metric (see ``best_reason``).

        It has the best last metric among the completed ones; where none completed,
        among those that entered the highest rung. Ties go to the earlier trial.

        Where configurations are repeated it is of the best one: that of which most repeats
        completed, and of these the one with the best mean of their last metrics. Then it is
        the first of these repeats; `by_configuration` tells the mean and the spread.
        """
        return self._find_best()[0]

    @property
    def best_reason(self) -> str:
        """Among which trials `best` was chosen, or why there is none."""
        return self._find_best()[1]

    def _find_best(self) -> tuple[TrialRecord | None, str]:
        return _best_of(self.trials, self.mode)

    def by_configuration(self) -> Configurations:
        """One record per configuration, the best one first; printed, it is a table.

        Each has ``params``, all its ``trials``, the mean ``metric`` of those that got
        ``furthest``, and their ``spread``.
        """
        return configurations_of(self.trials, self.mode)

    def by_branch(self) -> Branches:
        """One record per level-1 configuration that had a trial; printed, it is a table.

        Each has ``fixed``, the values that the configuration tells, the number of
        ``trials``, the ``best`` of them, and its ``best_metric`` and ``best_params``.
        """
        found: dict[int, list[TrialRecord]] = {}
        for trial in self.trials:
            found.setdefault(self.space.branch_of(trial.point), []).append(trial)
        return Branches(
            BranchRecord(
                number=number,
                fixed=self.space.level1(number),
                trials=len(trials),
                best=_best_of(trials, self.mode)[0],
            )
            for number, trials in sorted(found.items())
        )

    def explain(self, trial_id: int) -> str:
        """Each rung decision of a trial in words. InvalidArgument where there is no such trial."""
        if trial_id not in range(len(self.trials)):
            raise InvalidArgument(
                f"there is no trial {trial_id!r}; this run has {len(self.trials)}, counted from 0"
            )
        return explain(
            self.trials[trial_id],
            ranks(self.trials, self.mode),
            mode=self.mode,
            brackets=has_brackets(self.trials),
        )

    def rung_table(self) -> list[tuple[int, float, int, int]]:
        """Per rung, over all brackets: its number, resource, entries, and how many went on."""
        entries: dict[tuple[int, float], list[int]] = {}
        for trial in self.trials:
            for record in trial.rungs:
                counted = entries.setdefault((record.rung, record.resource), [0, 0])
                counted[0] += 1
                counted[1] += record.verdict == "continue"
        return [
            (number, resource, entered, passed)
            for (number, resource), (entered, passed) in sorted(entries.items())
        ]

    def to_pandas(self) -> pandas.DataFrame:
        """One row per trial; parameters as columns ``params.<name>``. Needs pandas.

        Where a member of a union lacks a parameter, None or NaN stands.
        """
        try:
            import pandas
        except ImportError as error:
            raise ImportError("to_pandas() needs pandas: pip install pandas") from error
        rows = []
        names = dict.fromkeys(name for trial in self.trials for name in trial.params)
        for trial in self.trials:
            row: dict[str, Any] = {"id": trial.id, "state": str(trial.state)}
            row.update({f"params.{name}": trial.params.get(name) for name in names})
            for field in ("metric", "best_metric", "resource", "attempts", "worker", "error"):
                row[field] = getattr(trial, field)
            for field in ("start_time", "end_time"):
                row[field] = pandas.to_datetime(getattr(trial, field), unit="s", utc=True)
            row["bracket"], row["rungs"] = trial.bracket, len(trial.rungs)
            row["repeat"] = trial.repeat
            row.update({f"extras.{name}": value for name, value in trial.extras.items()})
            rows.append(row)
        return pandas.DataFrame(rows)

    def plot_rungs(self, ax: Axes | None = None) -> Axes:
        """How many trials entered each rung and went on; see `asha_bus.results.plots`."""
        from asha_bus.results import plots

        return plots.plot_rungs(self, ax)

    def plot_curves(self, ax: Axes | None = None) -> Axes:
        """The metric of each trial by resource; see `asha_bus.results.plots`."""
        from asha_bus.results import plots

        return plots.plot_curves(self, ax)

    def plot_history(self, ax: Axes | None = None) -> Axes:
        """The metric of each trial by the time it ended; see `asha_bus.results.plots`."""
        from asha_bus.results import plots

        return plots.plot_history(self, ax)

    def plot_params(self, axs: Sequence[Axes] | None = None) -> Sequence[Axes]:
        """The metric of each trial by each parameter; see `asha_bus.results.plots`."""
        from asha_bus.results import plots

        return plots.plot_params(self, axs)

    def report(self, path: str | os.PathLike[str]) -> Path:
        """Write the run as one self-contained HTML file and return its path.

        The file needs no network; it has the charts, a table of all trials, and each
        decision in words. The importance of parameters needs the extra ``report``, and
        without it the file says so. Raises `InvalidArgument` where ``path`` cannot be
        written.
        """
        from asha_bus.page.report import write_report

        return write_report(self, path)

    def __repr__(self) -> str:
        best = self.best
        why = self.message.partition("\n")[0].rstrip(":")  # a traceback may follow
        ended_by = "" if self.reason == UNFINISHED else "ended by "
        lines = [
            f"Result of {self.name}: {len(self.trials)} trials in {self.elapsed_s:.1f} s, "
            f"{ended_by}{self.reason}{f' ({why})' if why else ''}",
            "  " + ", ".join(f"{count} {state}" for state, count in self.counts.items() if count),
        ]
        if best is None:
            lines.append(f"  best: none, since {self.best_reason}")
        else:
            lines.append(
                f"  best: trial {best.id}, metric {best.metric:g} at resource "
                f"{best.resource:g}, params {best.params!r}"
            )
            if any(trial.repeat for trial in self.trials):
                lines.append(f"  {self._mean_of_best()}")
        lines += [
            f"  rung {number} at {resource:g}: {entries} entered, {passed} went on"
            for number, resource, entries, passed in self.rung_table()
        ]
        return "\n".join(lines)

    def _mean_of_best(self) -> str:
        best = self.by_configuration()[0]
        spread = "" if best.spread is None else f" ± {best.spread:.2g}"
        count = len(best.furthest)
        return f"mean of {count} repeat{'s' * (count > 1)}: {best.metric:g}{spread}"

    def _repr_html_(self) -> str:
        shown = ranked_trials(self.trials, self.mode)[:_SHOWN]
        head = "".join(
            f"<th>{name}</th>" for name in ("trial", "state", "metric", "resource", "params")
        )
        body = "".join(
            "<tr>"
            + "".join(
                f"<td>{html.escape(str(cell))}</td>"
                for cell in (t.id, t.state, t.metric, t.resource, t.params)
            )
            + "</tr>"
            for t in shown
        )
        return (
            f"<pre>{html.escape(repr(self))}</pre><p>the first {len(shown)} of "
            f"{len(self.trials)} trials by metric</p>"
            f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
        )


class AllTrialsFailed(AshaBusError):
    """Every trial that was tried failed.

    ``result`` holds what there is: the trials with their tracebacks.
    """

    def __init__(self, message: str, result: Result) -> None:
        super().__init__(message)
        self.result = result


def _best_of(trials: Sequence[TrialRecord], mode: str) -> tuple[TrialRecord | None, str]:
    """The best of ``trials``, and among which it was chosen, or why there is none."""
    lead = leading(repeats_of(trials), mode)
    if lead is None:
        return None, "no trial has a usable metric"
    completed, highest, _ = lead.progress
    why = "the best of the completed trials"
    if not completed:
        why = f"no trial completed; the best of those that entered the rung at {highest:g}"
        if highest == 0:
            why = "no trial completed or entered a rung; the best of all"
    if any(trial.repeat for trial in trials):
        why += ", by the mean of a configuration's repeats"
    best: TrialRecord = lead.trials[0]
    return best, why
