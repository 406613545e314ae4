"""Draws every dashboard as ``docs/images/dashboard-*.png``, without a Grafana.

A real Prometheus scrapes two runs, one of a minute, in which the bus and a worker are
killed, and answers the dashboards' own queries. ``--folder`` for another place.
"""

from __future__ import annotations

import argparse
import io
import json
import math
import os
import signal
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from random import Random
from typing import Any

from lib import ROOT
from lib.processes import descendants, wait_until
from lib.prometheus import DASHBOARDS, Prometheus, running, substituted
from PIL import Image

import asha_bus as ab
from generate.pages.drawing import Mark, Series, draw

IMAGES = ROOT / "docs" / "images"
#: As in grafana/prometheus.yml, and what Grafana makes of it.
SCRAPE_S = 5.0
WINDOW = "20s"
RUN_S = 75.0


def curve(trial: ab.Trial) -> None:
    """A learning curve that takes no processor time: an error that falls to a lower bound."""
    rate, width = math.log10(trial.params["rate"]), trial.params["width"]
    floor = 0.03 + 0.1 * abs(rate + 2.2) + 0.8 / width + 0.3 * trial.params["dropout"] ** 2
    floor += 0.2 * abs(trial.params["momentum"] - 0.9)
    noise = Random(trial.seed)
    for step in range(1, 28):
        time.sleep(0.05 + 0.001 * width)
        error = floor + 0.7 * math.exp(-step * 10 ** (rate + 1.7)) + noise.gauss(0, 0.01)
        if not trial.report(error):
            return


def launch(name: str, folder: Path, seed: int, **settings: Any) -> ab.Run:
    """A run that names itself to Prometheus."""
    space = ab.Space(
        rate=ab.loguniform(1e-4, 1e-1),
        width=ab.randint(8, 64),
        dropout=ab.uniform(0, 1),
        momentum=ab.uniform(0, 1),
    )
    options = ab.BusOptions(sd_file=str(folder / f"targets-{name}.json"))
    return ab.start(
        curve,
        space,
        engine="local",
        workers=2,
        monitor=None,
        name=name,
        seed=seed,
        metrics_port=0,
        bus=options,
        **settings,
    )


def play(folder: Path) -> None:
    """Two runs, the second one with a bus and a worker killed in it."""
    first = launch("digits-small", folder, 1, scheduler=ab.ASHA(max_resource=9), max_trials=150)
    time.sleep(8)
    limits = {"max_time": RUN_S, "max_trials": 1_000}
    run = launch("digits", folder, 2, scheduler=ab.ASHA(max_resource=27), **limits)
    time.sleep(RUN_S * 0.4)
    os.kill(run.bus_pid, signal.SIGKILL)
    time.sleep(RUN_S * 0.25)
    worker = descendants("asha_bus.executor")[-1]
    os.kill(worker, signal.SIGKILL)
    first.result(timeout=300)
    run.result(timeout=300)
    time.sleep(2 * SCRAPE_S)


def main() -> int:
    """Play the runs, and draw."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--folder", type=Path, default=IMAGES, help="default: %(default)s")
    given = parser.parse_args()
    given.folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with running(folder, interval=f"{SCRAPE_S:g}s") as server:
            start = time.time()
            play(folder)
            end = time.time()
            wait_until(
                lambda: bool(server.query("asha_bus_run_end_timestamp_seconds > 0")),
                "a run that ended",
            )
            for path in DASHBOARDS:
                target = given.folder / f"dashboard-{path.stem}.png"
                paint(server, path, target, start, end)
                print(f"{target}: {target.stat().st_size / 1000:.0f} kB")
    return 0


def paint(server: Prometheus, path: Path, target: Path, start: float, end: float) -> None:
    """Draw the dashboard at ``path`` with what ``server`` knows."""
    dashboard = json.loads(path.read_text(encoding="utf-8"))
    run = "digits|digits-small" if path.stem == "runs" else "digits"

    def filled(text: str) -> str:
        whole = f"{end - start:.0f}s"
        return substituted(text, run=run, interval="5s", window=WINDOW, whole=whole)

    def ask(query: Mapping[str, Any]) -> list[Series]:
        text = filled(query["expr"])
        found = (
            server.query(text, end)
            if query.get("instant")
            else server.query_range(text, start, end, SCRAPE_S)
        )
        return [(series.labels, series.points) for series in found]

    figure = draw(dashboard, ask, marks(server, dashboard, filled, start, end), start, end)
    picture = io.BytesIO()
    figure.savefig(picture, dpi=80)
    Image.open(picture).convert("RGB").quantize(128).save(target, optimize=True)


def marks(
    server: Prometheus, dashboard: Mapping[str, Any], filled: Any, start: float, end: float
) -> Iterator[Mark]:
    """The annotations of a dashboard."""
    for annotation in dashboard["annotations"]["list"]:
        for series in server.query_range(filled(annotation["expr"]), start, end, SCRAPE_S):
            for at, value in series.points:
                when = value / 1000 if annotation.get("useValueForTime") else at
                yield Mark(when, annotation["iconColor"])


if __name__ == "__main__":
    sys.exit(main())
