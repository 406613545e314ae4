"""A file with a line of JSON for everything that happens."""

from __future__ import annotations

import json
import math
import os
import time
from pathlib import Path
from typing import Any, TextIO

from asha_bus.core.checks import PATH, check
from asha_bus.core.errors import InvalidArgument
from asha_bus.core.trial import RungRecord
from asha_bus.monitors.base import Monitor, RunInfo, Snapshot
from asha_bus.results.records import TrialRecord
from asha_bus.results.result import Result


class FileMonitor(Monitor):
    """Writes what happens to the file at ``path``, one JSON object a line.

    Each has ``event`` (``start``, ``assign``, ``report``, ``decision``, ``end`` or
    ``finish``) and ``time``, the time of writing in seconds since the epoch, some 0.5 s
    after it happened. It is strict JSON: NaN and infinities are the texts ``"NaN"``,
    ``"Infinity"`` and ``"-Infinity"``, and parameters that JSON does not know stand as
    their repr. The file is flushed every 0.5 s. Lines that are there already stay: a
    run that is resumed, or another one, goes on below them, from its ``start`` on.

    Raises `InvalidArgument` where the file cannot be written.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        check("FileMonitor: path", path, PATH)
        self._path = Path(path)
        try:
            self._path.open("ab").close()
        except OSError as error:
            raise InvalidArgument(
                f"FileMonitor: path {os.fspath(path)!r} cannot be written: {error.strerror}; give "
                f"a file in a folder that exists and that you may write to"
            ) from error

    def on_start(self, run: RunInfo) -> None:
        """Begin to write below what is there."""
        self._file: TextIO = self._path.open("a", encoding="utf-8")
        if not _ends_a_line(self._path):  # whoever wrote there was killed within a line
            self._file.write("\n")
        self._write(
            "start",
            run=run.name,
            mode=run.mode,
            seed=run.seed,
            parameters=run.parameters,
            scheduler=run.scheduler,
            max_trials=run.max_trials,
        )

    def on_assign(self, trial: TrialRecord) -> None:
        """Write ``assign``."""
        self._write(
            "assign",
            trial=trial.id,
            attempt=trial.attempts,
            worker=trial.worker,
            bracket=trial.bracket,
            params=trial.params,
        )

    def on_report(self, trial: TrialRecord, resource: float, metric: float) -> None:
        """Write ``report``."""
        self._write(
            "report", trial=trial.id, attempt=trial.attempts, resource=resource, metric=metric
        )

    def on_decision(self, trial: TrialRecord, record: RungRecord) -> None:
        """Write ``decision``."""
        self._write("decision", trial=trial.id, bracket=trial.bracket, **record._asdict())

    def on_end(self, trial: TrialRecord) -> None:
        """Write ``end``."""
        self._write(
            "end",
            trial=trial.id,
            attempt=trial.attempts,
            state=str(trial.state),
            resource=trial.resource,
            metric=trial.metric,
            best_metric=trial.best_metric,
            error=trial.error,
        )

    def on_refresh(self, snapshot: Snapshot) -> None:
        """Flush what was written."""
        self._file.flush()

    def on_finish(self, result: Result | None) -> None:
        """Write ``finish`` and close the file; ``reason`` is null where an error ended the run."""
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
        self._file.write(f"{json.dumps(_plain(line), allow_nan=False)}\n")


def _plain(value: Any) -> Any:
    """``value`` as strict JSON has it."""
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
    return repr(value)


def _ends_a_line(path: Path) -> bool:
    with path.open("rb") as file:
        if file.seek(0, os.SEEK_END) == 0:
            return True
        file.seek(-1, os.SEEK_END)
        return file.read() == b"\n"
