#!/usr/bin/env python3
"""How fast are the report and the page? Measured in Chromium, by its own counters.

A report of 1,000 trials is written in a fresh process, imports included. A page of
10,000 trials is opened as a file, and its first paint is what Chromium says. The same run
is then shown live, over server-sent events, while trials change; Chromium's counters tell
how long its main thread spent in scripts, and in all, for one update. The table is
scrolled in the same way.
"""

from __future__ import annotations

import argparse
import pickle
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))

from support.browser import CHROMIUM, Watched, chromium
from support.live_page import live_page
from support.simulated import simulated

from asha_bus import Result
from asha_bus.page.document import run_document, summary_document, trial_document
from asha_bus.page.html import to_json
from asha_bus.tables import table

#: What is aimed at, in seconds.
REPORT_S, PAINT_S, UPDATE_S = 3.0, 1.0, 0.050

#: So many trials change in one update.
CHANGED = 100

WRITE = """
import pickle, sys
with open(sys.argv[1], "rb") as file:
    result = pickle.load(file)
result.report(sys.argv[2])
"""

#: Where the page is scrolled to, and what is in sight there.
PLACES = {"rungs": "the charts at the top", "parallel": "parameters", "trials": "the table"}


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


class Counters:
    """Chromium's own counters of a page's main thread, in seconds."""

    def __init__(self, watched: Watched) -> None:
        self._session = watched.context.new_cdp_session(watched.page)
        self._session.send("Performance.enable")

    def read(self) -> dict[str, float]:
        """What they stand at."""
        metrics = self._session.send("Performance.getMetrics")["metrics"]
        return {metric["name"]: metric["value"] for metric in metrics}


def paint(browser: Any, address: str) -> tuple[float, float]:
    """Seconds until the first paint with content, and until all in sight was drawn."""
    watched = Watched(browser)
    watched.page.goto(address)
    watched.wait("performance.getEntriesByName('draw').length > 0")
    watched.wait("performance.getEntriesByName('first-contentful-paint').length > 0")
    first = watched.page.evaluate(
        "performance.getEntriesByName('first-contentful-paint')[0].startTime"
    )
    drawn = watched.page.evaluate(
        "Math.max(...performance.getEntriesByName('draw').map((e) => e.startTime + e.duration))"
    )
    watched.close()
    return first / 1e3, drawn / 1e3


def per_update(browser: Any, result: Result, updates: int) -> list[Sequence[str]]:
    """Per place on the page: seconds in scripts and in all for an update, and the longest."""
    rows: list[Sequence[str]] = []
    with live_page() as live:
        summary = summary_document(result, workers=8)
        live.greeting = [("run", run_document(result)), ("summary", summary)]
        watched = Watched(browser)
        watched.page.goto(live.url)
        watched.wait("run !== null")
        counters = Counters(watched)
        for place, words in PLACES.items():
            watched.page.evaluate(f"byId('{place}').scrollIntoView()")
            watched.wait(f"drawn.get('{place}') === run.version")
            watched.page.evaluate("performance.clearMeasures()")
            before = counters.read()
            for number in range(updates):
                first = number * CHANGED % max(len(result.trials) - CHANGED, 1)
                some = result.trials[first : first + CHANGED]
                version = watched.page.evaluate("run.version")
                live.send("trials", [trial_document(trial, result.space) for trial in some])
                live.send("summary", summary)
                watched.wait(
                    f"run.version >= {version + 2} && drawn.get('{place}') === run.version"
                )
            after = counters.read()
            longest = watched.page.evaluate(
                "Math.max(...performance.getEntriesByName('draw').map((e) => e.duration))"
            )
            spent = [
                (after[name] - before[name]) / updates
                for name in ("ScriptDuration", "TaskDuration")
            ]
            rows.append((words, *(f"{seconds * 1e3:.1f}" for seconds in spent), f"{longest:.1f}"))
        rows.append(("scrolling the table", *scrolled(watched, counters)))
        watched.close()
        assert not watched.complaints, watched.complaints
    return rows


def scrolled(watched: Watched, counters: Counters, steps: int = 40) -> tuple[str, str, str]:
    """Milliseconds in scripts and in all of a frame in which the table is scrolled."""
    before = counters.read()
    watched.page.evaluate(
        f"""async () => {{
          const rows = byId("rows"), step = (rows.scrollHeight - rows.clientHeight) / {steps};
          for (let i = 1; i <= {steps}; i++) {{
            rows.scrollTop = i * step;
            await new Promise(requestAnimationFrame);
          }}
        }}"""
    )
    after = counters.read()
    script, task = (
        (after[name] - before[name]) / steps * 1e3 for name in ("ScriptDuration", "TaskDuration")
    )
    return f"{script:.1f}", f"{task:.1f}", "-"


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--trials", type=int, default=10_000, help="default: %(default)s")
    parser.add_argument("--updates", type=int, default=20, help="default: %(default)s")
    parser.add_argument("--smoke", action="store_true", help="only see that it works")
    given = parser.parse_args(arguments)
    trials, updates, few = (300, 2, 100) if given.smoke else (given.trials, given.updates, 1_000)
    if not CHROMIUM.exists():
        sys.exit(f"there is no Chromium at {CHROMIUM}: apt-get install chromium")
    with tempfile.TemporaryDirectory(prefix="asha-bus-page-") as name, chromium() as browser:
        folder = Path(name)
        written_s = report_s(simulated(few), folder)
        result = simulated(trials, workers=32)
        path = result.report(folder / "large.html")
        paints = [paint(browser, path.as_uri()) for _ in range(1 if given.smoke else 5)]
        first, drawn = (sorted(column)[len(column) // 2] for column in zip(*paints, strict=True))
        began = time.perf_counter()
        document = to_json(run_document(result))
        document_s = time.perf_counter() - began
        rows = per_update(browser, result, updates)
    print(f"a report of {few:,} trials, imports included: {written_s:.2f} s (aim: {REPORT_S:g} s)")
    print(
        f"{trials:,} trials: the document takes {document_s:.2f} s and {len(document):,} bytes; "
        f"opened as a file, the first paint comes after {first:.2f} s (aim: {PAINT_S:g} s), "
        f"all in sight is drawn after {drawn:.2f} s (medians of {len(paints)})"
    )
    print(
        f"an update of {min(CHANGED, trials)} of {trials:,} trials, live, in ms of the page's main "
        f"thread (aim: {UPDATE_S * 1e3:g} ms in scripts)"
    )
    print(table(rows, head=("in sight", "scripts", "all", "longest draw")))


if __name__ == "__main__":
    main()
