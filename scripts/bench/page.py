"""How fast are the report and the page? Measured by Chromium's own trace.

A report of 1,000 trials is written in a fresh process, imports included. A run of 10,000
trials is opened as a report and on the live page's own server, and then 50 of its trials
change each second. The trace tells when the page was first painted, and how long its main
thread spent in scripts, and in all, for one update. Last, what an update
costs the process that serves the page.
"""

from __future__ import annotations

import argparse
import copy
import json
import os
import pickle
import subprocess
import sys
import tempfile
import time
from collections.abc import Collection, Sequence
from dataclasses import replace
from pathlib import Path
from statistics import median
from typing import Any

from lib.browser import CHROMIUM, Watched, chromium
from lib.results import simulated

from asha_bus import Result, TrialRecord, TrialState
from asha_bus.monitors.base import Snapshot
from asha_bus.monitors.page import Page
from asha_bus.results.tables import table

#: What is aimed at, in seconds.
REPORT_S, PAINT_S, UPDATE_S = 3.0, 1.0, 0.050

#: The number of trials that change in one update, and the seconds between two updates.
CHANGED, BETWEEN_S = 50, 1.05

WRITE = """
import pickle, sys
with open(sys.argv[1], "rb") as file:
    result = pickle.load(file)
result.report(sys.argv[2])
"""

#: Where the page is scrolled to, and what is in sight there.
PLACES = {"rungs": "the charts at the top", "parallel": "parameters", "trials": "the table"}

#: What Chromium counts as scripts: where JavaScript is entered, compiled, and tidied up after.
SCRIPTS = frozenset(
    {
        *("EvaluateScript", "FunctionCall", "FireAnimationFrame", "TimerFire", "EventDispatch"),
        *("RunMicrotasks", "v8.compile", "v8.run", "v8.callFunction", "MinorGC", "MajorGC"),
    }
)
TASKS = frozenset({"ThreadControllerImpl::RunTask"})


def report_s(result: Result, folder: Path) -> float:
    """Seconds of a fresh process that reads a result and writes its report."""
    held = folder / "result.pickle"
    held.write_bytes(pickle.dumps(result))
    began = time.perf_counter()
    subprocess.run(
        [sys.executable, "-c", WRITE, str(held), str(folder / "report.html")],
        check=True,
        timeout=120,
    )
    return time.perf_counter() - began


# --- the trace ---------------------------------------------------------------


class Trace:
    """What Chromium writes down of its pages while the block runs. Times are in seconds."""

    def __init__(self, browser: Any) -> None:
        self._browser = browser
        self._events: list[dict[str, Any]] = []

    def __enter__(self) -> Trace:
        self._browser.start_tracing(categories=["devtools.timeline", "toplevel", "loading", "v8"])
        return self

    def __exit__(self, *unused: object) -> None:
        self._events = json.loads(self._browser.stop_tracing())["traceEvents"]

    def first_paint_s(self, began: float) -> float:
        """From ``began``, on the monotonic clock, to the first paint with content."""
        painted = [e["ts"] for e in self._events if e["name"] == "firstContentfulPaint"]
        return float(min(painted)) / 1e6 - began

    def main_thread_s(self, names: Collection[str]) -> float:
        """The pages' main threads' time in events of these names; within another counts once."""
        main = {
            (event["pid"], event["tid"])
            for event in self._events
            if event["name"] == "thread_name" and event["args"]["name"] == "CrRendererMain"
        }
        spans = sorted(
            (event["ts"], event["ts"] + event["dur"])
            for event in self._events
            if event["name"] in names
            and event["ph"] == "X"
            and (event["pid"], event["tid"]) in main
        )
        total, until = 0.0, 0.0
        for begin, end in spans:
            total += max(end - max(begin, until), 0.0)
            until = max(until, end)
        return total / 1e6


def opening_s(browser: Any, address: str) -> tuple[float, float]:
    """Seconds until the first paint with content, and until all in sight was drawn."""
    with Trace(browser) as trace:
        watched = Watched(browser)
        began = time.monotonic()
        watched.page.goto(address)
        watched.wait("run !== null && drawn.has('rungs')")
        drawn = watched.page.evaluate(
            "Math.max(...performance.getEntriesByName('draw').map((e) => e.startTime + e.duration))"
        )
        watched.close()
    return trace.first_paint_s(began), drawn / 1e3


def middle(pairs: Sequence[tuple[float, float]]) -> str:
    """What stands for several openings."""
    first, drawn = (median(column) for column in zip(*pairs, strict=True))
    return f"first paint {first:.2f} s (aim: {PAINT_S:g} s), all in sight {drawn:.2f} s"


# --- the live page -----------------------------------------------------------


class Going:
    """A run that goes on: at each step some trials lose their last rung, or get it back."""

    def __init__(self, result: Result, page: Page) -> None:
        self._whole, self._page = result.trials, page
        self._result = copy.copy(result)
        self._step = 0
        #: Seconds that the page took of the monitor's thread at each step.
        self.took: list[float] = []

    def go_on(self) -> None:
        """Tell the page of the next step."""
        trials = list(self._result.trials)
        for offset in range(CHANGED):
            number = (self._step // 2 * CHANGED + offset * 37) % len(trials)
            trials[number] = trial = self._other(self._whole[number])
            self._page.on_report(trial, trial.resource, 0.0)
        self._step += 1
        self._result = copy.copy(self._result)
        self._result.trials = tuple(trials)
        self._result.elapsed_s += BETWEEN_S
        began = time.perf_counter()
        self._page.on_refresh(snapshot(self._result))
        self.took.append(time.perf_counter() - began)

    def _other(self, trial: TrialRecord) -> TrialRecord:
        if self._step % 2 or not trial.rungs:
            return trial
        return replace(trial, state=TrialState.RUNNING, rungs=trial.rungs[:-1], end_time=None)


def snapshot(result: Result) -> Snapshot:
    """What the run's thread would tell of ``result``."""
    return Snapshot(
        elapsed_s=result.elapsed_s,
        states=result.counts,
        trials=len(result.trials),
        finished=0,
        workers=32,
        reports=0,
        decisions=0,
        best=result.best,
        result=lambda: result,
    )


def per_update(
    browser: Any, result: Result, updates: int, openings: int
) -> tuple[str, list[Sequence[str]], float]:
    """How the live page opens; what an update takes by place; what it takes in Python."""
    page = Page("benchmark")
    going = Going(result, page)
    going.go_on()
    opened = middle([opening_s(browser, page.url) for _ in range(openings)])
    watched = Watched(browser)
    watched.page.goto(page.url)
    rows: list[Sequence[str]] = []
    for place, words in PLACES.items():
        watched.wait("run !== null")
        watched.page.evaluate(f"byId('{place}').scrollIntoView()")
        watched.wait(f"drawn.get('{place}') === run.version")
        version = watched.page.evaluate("run.version")
        with Trace(browser) as trace:
            for _ in range(updates):
                time.sleep(BETWEEN_S)
                going.go_on()
            time.sleep(BETWEEN_S)
        # each has trials and a summary; under load the page leaves some out
        come = (watched.page.evaluate("run.version") - version) // 2
        assert come > 0, "no update came"
        assert watched.page.evaluate(f"drawn.get('{place}') === run.version"), "not drawn"
        rows.append((f"{words}, {come} updates", *milliseconds(trace, come)))
    with Trace(browser) as trace:
        watched.page.evaluate(SCROLL)
    rows.append(("the table while scrolled, a frame", *milliseconds(trace, 40)))
    watched.close()
    page.close()
    assert not watched.complaints, watched.complaints
    return opened, rows, median(going.took[1:])


SCROLL = """async () => {
  const rows = byId("rows"), step = (rows.scrollHeight - rows.clientHeight) / 40;
  for (let i = 1; i <= 40; i++) {
    rows.scrollTop = i * step;
    await new Promise(requestAnimationFrame);
  }
}"""


def milliseconds(trace: Trace, count: int) -> list[str]:
    """The main thread's time in scripts and in all, by ``count``."""
    return [f"{trace.main_thread_s(names) / count * 1e3:.1f}" for names in (SCRIPTS, TASKS)]


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--trials", type=int, default=10_000, help="default: %(default)s")
    parser.add_argument("--updates", type=int, default=10, help="default: %(default)s")
    parser.add_argument("--smoke", action="store_true", help="only check that it works")
    given = parser.parse_args(arguments)
    trials, updates, few = (300, 1, 100) if given.smoke else (given.trials, given.updates, 1_000)
    openings = 1 if given.smoke else 5
    if not CHROMIUM.exists():
        sys.exit(f"there is no Chromium at {CHROMIUM}: apt-get install chromium")
    print(f"load average {os.getloadavg()[0]:.1f} on {os.cpu_count()} processors")
    with tempfile.TemporaryDirectory(prefix="asha-bus-page-") as name, chromium() as browser:
        folder = Path(name)
        written = [report_s(simulated(few), folder) for _ in range(openings)]
        print(
            f"a report of {few:,} trials in a fresh process: {median(written):.2f} s, "
            f"at most {max(written):.2f} s (aim: {REPORT_S:g} s)"
        )
        result = simulated(trials, workers=32)
        path = result.report(folder / "large.html")
        print(
            f"the report of {trials:,} trials, {path.stat().st_size:,} bytes: "
            f"{middle([opening_s(browser, path.as_uri()) for _ in range(openings)])}"
        )
        opened, rows, took_s = per_update(browser, result, updates, openings)
    print(f"the live page of {trials:,} trials: {opened}")
    print(f"an update of {CHANGED} of them takes {took_s * 1e3:.1f} ms of the monitor's thread")
    print(f"and, in ms of the page's main thread (aim: {UPDATE_S * 1e3:g} ms in scripts):")
    print(table(rows, head=("in sight", "scripts", "all")))


if __name__ == "__main__":
    main()
