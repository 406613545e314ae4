"""How scenarios begin a run, and see to it that it ends."""

from __future__ import annotations

import os
import signal
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from random import Random
from typing import Any

from lib.clusters import Spark
from lib.processes import Broken, descendants, is_alive, wait_until

import asha_bus as ab
from faults.scenarios import answers
from faults.scenarios.answers import Answer
from faults.scenarios.outcome import Outcome

#: A run that need not wait any more ends within this time.
END_S = 90.0
#: No scenario takes longer, whatever happens in it.
LIMIT_S = 400


@dataclass
class Setting:
    """Where and how a scenario is played."""

    outcome: Outcome
    random: Random
    smoke: bool
    folder: Path
    #: None: the local engine.
    spark: Spark | None = None
    workers: int = 2
    seed: int = 7
    space: ab.Space = field(init=False)

    @property
    def journal(self) -> Path:
        """The journal of the scenario's run."""
        return self.folder / "journal"

    def part(self, name: str) -> Setting:
        """The same in a folder of its own, for one of several runs."""
        folder = self.folder / name
        folder.mkdir()
        return replace(self, folder=folder)

    def start(self, objective: Any, space: Any, **arguments: Any) -> ab.Run:
        """Begin a run."""
        engine = {"engine": "local"} if self.spark is None else {"spark": self.spark.session()}
        settings: dict[str, Any] = {
            "workers": self.workers,
            "seed": self.seed,
            "journal": self.journal,
            "monitor": None,
            **engine,
            **arguments,
        }
        return ab.start(objective, space, **settings)

    def launch(self, *, pause_s: float = 0.03, slow_s: float = 0.0, **arguments: Any) -> ab.Run:
        """Begin a run of `answers.paced`."""
        self.space = answers.space_of(self.folder, pause_s, slow_s)
        settings = {"scheduler": answers.SCHEDULER, **arguments}
        return self.start(answers.paced, self.space, **settings)


Scenario = Callable[[Setting], None]


@contextmanager
def ending(run: ab.Run) -> Iterator[ab.Run]:
    """``run``, which does not outlive the block."""
    try:
        yield run
    finally:
        run.stop(now=True)
        try:
            run.result(END_S)
        except (ab.AshaBusError, TimeoutError) as error:
            print(f"the run ended with: {error}", file=sys.stderr)


def finished(run: ab.Run, setting: Setting) -> ab.Result:
    """The result of a run from which time is not asked any more."""
    answers.hurry(setting.folder)
    try:
        result = run.result(END_S)
    except TimeoutError:
        raise Broken(f"the run was not over {END_S:g} s after the last fault") from None
    setting.outcome.expect(result.reason == "max_trials", f"the run ended by {result.reason}")
    return result


def first_answer(
    setting: Setting, since: float, is_it: Callable[[Answer], bool], timeout_s: float = 30.0
) -> Answer:
    """The first answer after ``since`` that ``is_it``; Broken where there is none in time."""
    found: list[Answer] = []

    def look() -> bool:
        found[:] = [a for a in answers.read(setting.folder) if a.ended > since and is_it(a)]
        return bool(found)

    wait_until(look, "an answer of the bus", timeout_s)
    return found[0]


def working(setting: Setting) -> list[int]:
    """The worker processes that are alive and have had an answer."""
    pids = dict.fromkeys(answer.pid for answer in answers.read(setting.folder))
    return [pid for pid in pids if is_alive(pid)]


def wait_for_workers(setting: Setting) -> list[int]:
    """All workers, once each of them has had an answer."""
    wait_until(lambda: len(working(setting)) >= setting.workers, "all workers at work", 120)
    return working(setting)


def play(name: str, engine: str, scenario: Scenario, seed: int, **given: Any) -> Outcome:
    """Play one scenario in a folder of its own; what it came to, whatever happens."""
    outcome = Outcome(name, engine)
    handler = signal.signal(signal.SIGALRM, _too_long)
    signal.alarm(LIMIT_S)
    began = time.monotonic()
    try:
        with tempfile.TemporaryDirectory(prefix="asha-bus-faults-") as folder:
            random = Random(f"{seed} {name}")
            scenario(Setting(outcome, random, folder=Path(folder), **given))
    except (Broken, ab.AshaBusError) as error:
        outcome.broken.append(str(error))
    except Exception as error:  # of the scenario itself: the others are played all the same
        traceback.print_exc()
        outcome.broken.append(f"the scenario failed: {error!r}")
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, handler)
    try:
        wait_until(lambda: not descendants("asha_bus."), "the end of all processes", 15)
    except Broken as error:
        outcome.broken.append(str(error))
    outcome.taken_s = time.monotonic() - began
    taken = f"{name}, {engine}: {outcome.taken_s:.0f} s"
    print(taken, *outcome.notes, *outcome.broken, sep="\n  ", flush=True)
    return outcome


def _too_long(number: int, frame: Any) -> None:
    raise Broken(f"the scenario was not over after {LIMIT_S} s")


def kill(pid: int) -> float:
    """Kill a process; when that was, on the monotonic clock."""
    at = time.monotonic()
    os.kill(pid, signal.SIGKILL)
    return at
