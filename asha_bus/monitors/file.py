"""Writes the events of a run to a file of JSON lines."""

from __future__ import annotations

import math
import os
import time
from pathlib import Path
from typing import Any, TextIO

from asha_bus.core.checks import PATH, check, checked, shortened
from asha_bus.core.errors import InvalidArgument
from asha_bus.core.trial import RungRecord
from asha_bus.formats.strict_json import to_json
from asha_bus.monitors.base import Monitor, RunInfo, Snapshot
from asha_bus.results.records import TrialRecord
from asha_bus.results.result import Result


@checked()
class FileMonitor(Monitor):
    """A monitor that writes each event of a run to a file, as one JSON object per line.

    Each object has ``event`` (``start``, ``assign``, ``report``, ``decision``, ``end`` or
    ``finish``) and ``time``, the time of writing in seconds since the epoch, about 0.5 s
    after the event. The lines are strict JSON: NaN and infinities are the strings ``"NaN"``,
    ``"Infinity"`` and ``"-Infinity"``, and parameters that JSON cannot represent appear as
    their repr. The file is flushed every 0.5 s. Existing lines are kept: a resumed run, or
    another run, appends below them, beginning with its ``start``.

    Args:
        path: The file to append to; it is created if it does not exist.

    Raises:
        InvalidArgument: The file cannot be written.

    Example:
        >>> result = ab.launch(
        ...     lambda x: x**2, {"x": ab.uniform(-1, 1)},
        ...     max_trials=5, engine="local", monitor=ab.FileMonitor("events.jsonl"),
        ... )
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        check("FileMonitor: path", path, PATH)
        self._path = Path(os.path.expanduser(path))
        try:
            self._path.open("ab").close()
        except OSError as error:
            raise InvalidArgument(
                f"FileMonitor: path {os.fspath(path)!r} cannot be written: {error.strerror}; give "
                f"a file in a folder that exists and that you may write to"
            ) from error

    def on_start(self, run: RunInfo) -> None:
        """Open the file, and write ``start`` below its last line.

        Args:
            run: The run's settings.
        """
        self._file: TextIO = self._path.open("a", encoding="utf-8")
        if not _ends_a_line(self._path):  # the last writer was killed within a line
            self._file.write("\n")
        names = ("mode", "seed", "parameters", "scheduler", "searcher", "max_trials")
        known = {name: getattr(run, name) for name in names}
        self._write("start", run=run.name, **known)

    def on_assign(self, trial: TrialRecord) -> None:
        """Write ``assign``.

        Args:
            trial: The trial; ``attempts`` counts this attempt.
        """
        self._write(
            "assign",
            trial=trial.id,
            attempt=trial.attempts,
            worker=trial.worker,
            bracket=trial.bracket,
            params=trial.params,
        )

    def on_report(self, trial: TrialRecord, resource: float, metric: float) -> None:
        """Write ``report``.

        Args:
            trial: The trial that reported.
            resource: The resource of the report.
            metric: The metric of the report.
        """
        self._write(
            "report", trial=trial.id, attempt=trial.attempts, resource=resource, metric=metric
        )

    def on_decision(self, trial: TrialRecord, record: RungRecord) -> None:
        """Write ``decision``.

        Args:
            trial: The trial.
            record: The rung, the metric and the decision.
        """
        self._write("decision", trial=trial.id, bracket=trial.bracket, **record._asdict())

    def on_end(self, trial: TrialRecord) -> None:
        """Write ``end``.

        Args:
            trial: The trial in its final state.
        """
        names = ("resource", "metric", "best_metric", "best_resource", "error")
        known = {name: getattr(trial, name) for name in names}
        state = str(trial.state)
        self._write("end", trial=trial.id, attempt=trial.attempts, state=state, **known)

    def on_refresh(self, snapshot: Snapshot) -> None:
        """Flush the file.

        Args:
            snapshot: The state of the run, which is not written.
        """
        self._file.flush()

    def on_finish(self, result: Result | None) -> None:
        """Write ``finish`` and close the file.

        Args:
            result: The result; None if an error ended the run, for which ``reason`` is null.
        """
        if result is None:
            self._write("finish", reason=None)
        else:
            best = result.best
            self._write(
                "finish",
                reason=result.reason,
                message=result.message,
                elapsed_s=result.elapsed_s,
                states={str(state): count for state, count in result.counts.items()},
                best=best and {"trial": best.id, "metric": best.metric, "params": best.params},
            )
        self._file.close()

    def _write(self, event: str, **fields: Any) -> None:
        line = {"event": event, "time": time.time(), **fields}
        self._file.write(f"{to_json(_plain(line))}\n")


def _plain(value: Any) -> Any:
    """``value`` as strict JSON."""
    if isinstance(value, float):
        if math.isfinite(value):
            return value
        return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
    if value is None or isinstance(value, (bool, int, str)):
        return value
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    return shortened(value)


def _ends_a_line(path: Path) -> bool:
    with path.open("rb") as file:
        if file.seek(0, os.SEEK_END) == 0:
            return True
        file.seek(-1, os.SEEK_END)
        return file.read() == b"\n"
