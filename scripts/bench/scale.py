"""How a run grows: time, memory and bytes by the number of its trials.

For each number of trials one process makes the journal of a run whose workers report random
metrics, by the bus's own decision code without sockets. Others read it: as a bus that resumes the
run, and as a program that wants the result and the page's document. All times are processor time.
"""

from __future__ import annotations

import argparse
import gc
import json
import os
import subprocess
import sys
import tempfile
import time
from collections import deque
from collections.abc import Callable
from pathlib import Path
from random import Random
from statistics import median
from typing import Any, BinaryIO

from asha_bus import ASHA, Result, Space, choice, loguniform, randint
from asha_bus.core import messages as m
from asha_bus.core.events import (
    AppendToJournal,
    Effect,
    Event,
    Received,
    RequestSuggestions,
    RunSettings,
    Send,
    Suggested,
)
from asha_bus.core.experiment import Experiment
from asha_bus.formats.journal import Header, Replayer
from asha_bus.formats.records import Encoder
from asha_bus.formats.space_form import describe
from asha_bus.page.document import run_document
from asha_bus.results.tables import table

SPACE = Space(lr=loguniform(1e-4, 1e-1), units=randint(8, 256), activation=choice("relu", "tanh"))
SETTINGS = RunSettings("run", ASHA(max_resource=81), 7)
WORKERS = 16
#: Seconds of the run's clock between two reports.
STEP_S = 0.001
#: The rate is that of the last reports of a run, in pieces, of which the median counts.
PIECE, PIECES = 2_000, 9
#: A bus that stands by reads so much at a time, and holds no more of the file.
CHUNK = 1 << 20
SIZES = (1_000, 10_000, 100_000, 1_000_000)
LIMIT_S = 900


class Simulated:
    """Workers that report at their rungs in turn, and the journal of what is decided."""

    def __init__(self, journal: BinaryIO) -> None:
        self.journal = journal
        journal.write(Header("scale", SETTINGS, describe(SPACE), {}, "0").encode())
        self._encoder, self._random = Encoder(), Random(SETTINGS.seed)
        # drawn ahead, as by the searcher's process
        self._points = [SPACE.draw_point(self._random, 0) for _ in range(1_000)]
        self._requests: deque[RequestSuggestions] = deque()
        self._answers: dict[str, m.ToWorker] = {}
        self._running: dict[str, tuple[int, int, float]] = {}
        self._seq = 2
        self.now = 0.0
        self.reports = 0
        self.experiment = Experiment(SETTINGS, 0.0, self._carry_out)
        self.experiment.start()
        self._suggest()
        self._names = [f"local-{number}/worker" for number in range(WORKERS)]
        for number, name in enumerate(self._names):
            self._handle(Received(name, m.Hello(1, "run", f"slot {number}", "host", number + 1)))
            self._handle(Received(name, m.Next(2, 0.0)))
            self._take(name)

    def report(self) -> None:
        """The next worker reports, and takes its answer."""
        name = self._names[self.reports % WORKERS]
        if not self.reports % WORKERS:
            self._seq += 1
        self.reports += 1
        self.now += STEP_S
        trial, attempt, resource = self._running[name]
        metric = self._random.random()
        idle_s = 0.01 * self.now
        self._handle(
            Received(
                name,
                m.Report(
                    *(self._seq, trial, attempt, resource, metric, metric, {}, idle_s, resource)
                ),
            )
        )
        self._take(name)

    def _take(self, name: str) -> None:
        answer = self._answers[name]
        if isinstance(answer, m.Continue):
            trial, attempt, _ = self._running[name]
            resource = answer.next_resource
        else:
            assert isinstance(answer, m.Assign | m.Stop)
            assigned = answer.assignment if isinstance(answer, m.Assign) else answer.next
            assert assigned is not None
            trial, attempt, resource = assigned.trial, assigned.attempt, assigned.next_resource
        assert resource is not None
        self._running[name] = trial, attempt, resource

    def _carry_out(self, effect: Effect) -> None:
        if isinstance(effect, AppendToJournal):
            self.journal.write(self._encoder.encode(effect))
        elif isinstance(effect, Send):
            self._answers[effect.to] = effect.message
        elif isinstance(effect, RequestSuggestions):
            self._requests.append(effect)

    def _handle(self, event: Event) -> None:
        self.experiment.handle(event, self.now)
        self._suggest()

    def _suggest(self) -> None:
        while self._requests:
            first, count, _ = self._requests.popleft()
            points = tuple(self._random.choices(self._points, k=count))
            self.experiment.handle(Suggested(first, points), self.now)


def make(trials: int, path: Path) -> dict[str, float]:
    """Write the journal of a run of ``trials``; its rate at the end, and its bytes."""
    with path.open("wb") as journal, open(os.devnull, "wb") as nowhere:
        simulated = Simulated(journal)
        while len(simulated.experiment.table) < trials:
            simulated.report()
        size, reports = journal.tell(), simulated.reports
        simulated.journal = nowhere
        pieces = [_cpu_s(lambda: _report(simulated, PIECE)) for _ in range(PIECES)]
    return {
        "reports": reports,
        "decisions_per_s": PIECE / median(pieces),
        "journal_bytes_per_report": size / reports,
    }


def _report(simulated: Simulated, times: int) -> None:
    for _ in range(times):
        simulated.report()


def resume(trials: int, path: Path) -> dict[str, float]:
    """Read the journal as a bus does; the time, and the memory that it takes."""
    before = _resident_bytes()
    began = time.process_time()
    with path.open("rb") as file:
        replayer = Replayer(file.read(CHUNK), str(path))
        while chunk := file.read(CHUNK):
            replayer.feed(chunk)
    finished = replayer.result().experiment.table.finished
    resume_s = time.process_time() - began
    memory = _resident_bytes() - before
    return {"resume_s": resume_s, "bus_mb": memory / 1e6, "bytes_per_trial": memory / finished}


def show(trials: int, path: Path) -> dict[str, float]:
    """Make the result and the page's document in the user's process."""
    gc.enable()
    before = _resident_bytes()
    began = time.process_time()
    result = Result.from_journal(path)
    result_s = time.process_time() - began
    memory = _resident_bytes() - before
    document_s = _cpu_s(lambda: run_document(result))
    best_s = _cpu_s(lambda: result.best)
    return {
        "result_s": result_s,
        "result_mb": memory / 1e6,
        "document_s": document_s,
        "best_s": best_s,
    }


STEPS: dict[str, Callable[[int, Path], dict[str, float]]] = {
    "make": make,
    "resume": resume,
    "show": show,
}


def _cpu_s(do: Callable[[], object]) -> float:
    began = time.process_time()
    do()
    return time.process_time() - began


def _resident_bytes() -> int:
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


def measure(trials: int) -> dict[str, Any]:
    """The figures of a run of ``trials``, each step in a process of its own."""
    found: dict[str, Any] = {"trials": trials}
    with tempfile.TemporaryDirectory(prefix="asha-bus-") as folder:
        path = str(Path(folder) / "run.journal")
        for step in STEPS:
            command = [sys.executable, __file__, "--step", step, str(trials), path]
            done = subprocess.run(
                command, check=True, timeout=LIMIT_S, stdout=subprocess.PIPE, text=True
            )
            found.update(json.loads(done.stdout))
    return found


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--trials", type=int, nargs="+", default=SIZES, help="the sizes of runs")
    parser.add_argument("--smoke", action="store_true", help="two short runs")
    parser.add_argument("--json", action="store_true", help="print the figures as JSON lines")
    parser.add_argument("--step", nargs=3, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.step:
        gc.disable()  # as the bus does
        step, trials, path = given.step
        print(json.dumps(STEPS[step](int(trials), Path(path))))
        return
    rows = [measure(trials) for trials in ((200, 2_000) if given.smoke else given.trials)]
    if given.json:
        for row in rows:
            print(json.dumps(row))
        return
    print(
        table(
            [tuple(f"{figure:,.4g}" for figure in row.values()) for row in rows],
            head=tuple(rows[0]),
        )
    )


if __name__ == "__main__":
    main()
