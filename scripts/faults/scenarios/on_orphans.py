"""The driver is killed, and what it has started is left alone."""

from __future__ import annotations

import fcntl
import os
import signal
import time
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

from lib.processes import descendants, is_alive, wait_until

import asha_bus as ab
from faults.scenarios.launching import (
    Setting,
    ending,
    finished,
    first_answer,
    kill,
    wait_for_workers,
    working,
)
from faults.scenarios.outcome import check
from faults.scenarios.program import FORKED, driver, gone

#: What a killed driver has started ends within this time: on the local engine it is the
#: promise for objectives that end when they are interrupted; on Spark it is `bus_timeout_s`.
_ENDED_S = {"local": 5.0, "spark": 25.0, "cluster": 25.0}
_BUS_TIMEOUT_S = 10.0


def driver_kill(setting: Setting) -> None:
    """The driver killed, without and with a living fork of it: nothing stays, and it is resumed."""
    for forks in (True,) if setting.smoke else (False, True):
        _kill(setting.part("forked" if forks else "alone"), forks)


def _kill(setting: Setting, forks: bool) -> None:
    outcome = setting.outcome
    case = setting.folder.name
    lived, limit_s = f"{case}: workers lived", _ENDED_S[outcome.engine]
    temporary = setting.folder / "temporary"
    temporary.mkdir()
    env = {"TMPDIR": str(temporary)}
    options: dict[str, Any] = {"lease_s": _BUS_TIMEOUT_S, "bus_timeout_s": _BUS_TIMEOUT_S}
    with ExitStack() as stack:
        process = stack.enter_context(
            driver(setting, env, max_trials=2_500, learns=True, forks=forks, **options)
        )
        child = None
        if forks:
            wait_until(lambda: _forked(setting) is not None, "the fork", 150.0)
            child = _forked(setting)
            assert child is not None
            stack.callback(_end, child)
        workers = wait_for_workers(setting)
        helpers = descendants("asha_bus.driver", process.pid)
        time.sleep(setting.random.uniform(0, 1))
        at = kill(process.pid)
        process.wait()
        outcome.faults += 1
        for what, pids in ((f"{case}: helpers lived", helpers), (lived, workers)):
            wait_until(lambda pids=pids: gone(pids), what, limit_s + 20.0)  # type: ignore[misc]
            outcome.figures[what] = time.monotonic() - at
        seconds = outcome.figures[lived]
        outcome.expect(seconds < limit_s, f"{lived} for {seconds:.1f} s, not {limit_s:g} s")
        _check_left(setting, child, temporary, workers)
        if child is not None and outcome.engine == "cluster":
            _end(child)  # it keeps Spark's Java process alive, which keeps the cluster's slots
        resumed_at = time.monotonic()
        total = len(ab.Result.from_journal(setting.journal).trials) + 20
        with ending(setting.launch(max_trials=total, resume=True, searcher=ab.TPE())) as run:
            again = first_answer(setting, resumed_at, lambda a: a.pid not in workers, 60.0)
            outcome.recoveries.append(again.ended - resumed_at)
            result = finished(run, setting)
    check(outcome, result, setting.folder, setting.journal)
    outcome.expect(len(result.trials) == total, f"{len(result.trials)} trials, not {total}")


def _end(child: int) -> None:
    with suppress(ProcessLookupError):
        os.kill(child, signal.SIGKILL)


def _forked(setting: Setting) -> int | None:
    path = setting.folder / FORKED
    text = path.read_text() if path.exists() else ""
    return int(text) if text.endswith("\n") else None


def _check_left(setting: Setting, child: int | None, temporary: Path, workers: list[int]) -> None:
    outcome = setting.outcome
    if child is not None:
        outcome.expect(is_alive(child), "the fork has ended")
        held = [os.readlink(link) for link in Path(f"/proc/{child}/fd").iterdir()]
        outcome.expect(str(setting.journal) not in held, "the fork holds the journal")
    left = [path.name for path in temporary.iterdir() if path.name.startswith("asha")]
    outcome.expect(not left, f"{left} are left in the temporary folder")
    with setting.journal.open("rb") as journal:
        try:
            fcntl.flock(journal, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            outcome.expect(False, "the journal is locked")
    outcome.expect(not working(setting), "a worker lives")
    ran = [pid for pid in workers if (setting.folder / f"finally-{pid}").exists()]
    outcome.notes.append(
        f"{setting.folder.name}: finally ran in {len(ran)} of {len(workers)} workers"
    )
