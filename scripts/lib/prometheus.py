"""A real Prometheus on loopback, and what dashboards and rules ask it."""

from __future__ import annotations

import json
import math
import re
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple
from urllib.error import URLError
from urllib.parse import urlencode
from urllib.request import urlopen

from lib import ROOT
from lib.processes import free_port, wait_until

GRAFANA = ROOT / "grafana"
RULES = GRAFANA / "rules" / "asha_bus.yml"
DASHBOARDS = sorted((GRAFANA / "dashboards").glob("*.json"))

#: Takes every file with targets in its folder, and the alert rules as they are shipped.
CONFIG = """
global:
  scrape_interval: {interval}
  evaluation_interval: {interval}
rule_files: [{rules}]
scrape_configs:
  - job_name: asha_bus
    file_sd_configs:
      - files: ["targets*.json"]
        refresh_interval: 1s
"""


def promtool(*arguments: str, text: str | None = None) -> str:
    """What promtool says; fails where it is not content. ``text`` goes to its stdin."""
    done = subprocess.run(
        ["promtool", *arguments], input=text, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


class Series(NamedTuple):
    """One series: its labels, and pairs of time in seconds and value."""

    labels: Mapping[str, str]
    points: list[tuple[float, float]]


class Prometheus:
    """The HTTP API of a Prometheus at ``url``."""

    def __init__(self, url: str) -> None:
        self.url = url

    def get(self, path: str, **arguments: object) -> Any:
        """The data of an answer; fails where it is an error."""
        with urlopen(f"{self.url}/api/v1/{path}?{urlencode(arguments)}", timeout=30) as answer:
            return json.load(answer)["data"]

    def query(self, expression: str, at: float | None = None) -> list[Series]:
        """The series of ``expression`` at one moment, now by default."""
        data = self.get("query", query=expression, time=time.time() if at is None else at)
        if data["resultType"] == "scalar":
            return [Series({}, [_point(data["result"])])]
        return [Series(row["metric"], [_point(row["value"])]) for row in data["result"]]

    def query_range(
        self, expression: str, start: float, end: float, step: float = 1.0
    ) -> list[Series]:
        """The series of ``expression`` over time."""
        data = self.get("query_range", query=expression, start=start, end=end, step=step)
        return [Series(row["metric"], list(map(_point, row["values"]))) for row in data["result"]]

    def value(self, expression: str) -> float | None:
        """The value of the one series of ``expression`` now; None where there is none."""
        found = self.query(expression)
        assert len(found) < 2, found
        return found[0].points[0][1] if found else None


def _point(pair: list[Any]) -> tuple[float, float]:
    return float(pair[0]), float(pair[1])


@contextmanager
def running(folder: Path, interval: str = "1s", config: Path | None = None) -> Iterator[Prometheus]:
    """A Prometheus that scrapes what files ``targets*.json`` in ``folder`` name.

    ``config``: its settings, in place of these.
    """
    port = free_port()
    if config is None:
        config = folder / "prometheus.yml"
        config.write_text(CONFIG.format(interval=interval, rules=RULES))
    with (folder / "prometheus.log").open("wb") as log:
        process = subprocess.Popen(
            [
                "prometheus",
                f"--config.file={config}",
                f"--storage.tsdb.path={folder / 'data'}",
                f"--web.listen-address=127.0.0.1:{port}",
            ],
            stdout=log,
            stderr=subprocess.STDOUT,
        )
    try:
        server = Prometheus(f"http://127.0.0.1:{port}")
        wait_until(lambda: process.poll() is not None or _is_ready(server.url), "Prometheus")
        assert process.poll() is None, (folder / "prometheus.log").read_text()
        yield server
    finally:
        process.terminate()
        process.wait(30)


def _is_ready(url: str) -> bool:
    try:
        with urlopen(f"{url}/-/ready", timeout=5) as answer:
            return bool(answer.status == 200)
    except URLError:
        return False


# --- what dashboards and rules ask -------------------------------------------


class Expression(NamedTuple):
    """What is asked, with where it stands; ``instant``: of one moment only."""

    where: str
    text: str
    instant: bool


def substituted(text: str, *, run: str, interval: str, window: str, whole: str) -> str:
    """A dashboard's query as Grafana sends it: variables replaced by their values.

    ``interval``: between two points; ``window``: $__rate_interval; ``whole``: all that
    is shown.
    """
    values = {"run": run, "__interval": interval, "__rate_interval": window, "__range": whole}
    return re.sub(r"\$(\w+)", lambda match: values[match[1]], text)


def panels(dashboard: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The panels of a dashboard without its headlines."""
    return [panel for panel in dashboard["panels"] if panel["type"] != "row"]


def asked_by(path: Path) -> Iterator[Expression]:
    """Every query of a dashboard: those of panels and of annotations."""
    dashboard = json.loads(path.read_text(encoding="utf-8"))
    for panel in panels(dashboard):
        for target in panel["targets"]:
            where = f"{path.stem}: {panel['title']} {target['refId']}"
            yield Expression(where, target["expr"], target.get("instant", False))
    for annotation in dashboard["annotations"]["list"]:
        yield Expression(f"{path.stem}: mark {annotation['name']}", annotation["expr"], False)


def alert_rules(server: Prometheus) -> dict[str, str]:
    """The expression of every alert rule that ``server`` has loaded, by name."""
    (group,) = server.get("rules")["groups"]
    return {rule["name"]: rule["query"] for rule in group["rules"]}


def faster(expression: str, factor: int) -> str:
    """``expression`` with all durations shorter by ``factor``: a test has no ten minutes."""
    seconds = {"s": 1, "m": 60, "h": 3600}

    def shorter(match: re.Match[str]) -> str:
        return f"{math.ceil(int(match[1]) * seconds[match[2]] / factor)}s"

    return re.sub(r"\b(\d+)([smh])\b", shorter, expression)


def finite(series: list[Series]) -> int:
    """How many samples there are that are numbers."""
    return sum(math.isfinite(value) for found in series for _, value in found.points)
