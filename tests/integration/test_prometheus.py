"""Runs that a real Prometheus scrapes: all that dashboards and alert rules ask it has an answer."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.request import urlopen

import pytest
from lib import prometheus
from lib.processes import free_port
from lib.prometheus import (
    DASHBOARDS,
    Expression,
    Prometheus,
    alert_rules,
    asked_by,
    faster,
    finite,
    promtool,
    substituted,
)
from support import objectives
from support.processes import children_of, wait_until
from support.tools import require_prometheus

import asha_bus as ab
from asha_bus import cli
from asha_bus.core.trial import TrialState

STEADY, TURNING, FAILING, DRIVER = "steady", "turning", "failing", "driver"
#: The rules' windows are shorter by this, so that a minute is 3 s, and ten minutes are 5 s where
#: nothing may have gone well for so long.
FASTER = {"AshaBusTrialsFail": 120}
FASTER_ELSE = 20

#: What has no answer in a run that goes well and goes on, and what it needs for that.
NEEDS_END = {
    *(f"{name}: mark Run ends" for name in ("bus", "rungs", "runs", "workers")),
    "runs: Runs B",  # the reason why it ended
    "runs: Runs L",  # when it ended
}
NEEDS_FAULT = {
    *(f"{name}: mark Bus restarts" for name in ("bus", "rungs", "runs", "workers")),
    "AshaBusDown",  # the bus stopped
    "AshaBusDriverGone",  # the driver killed
    "AshaBusStalled",  # no reports for a while
    "AshaBusSlow",  # the bus stopped for a moment, again and again
    "AshaBusRestarted",  # the bus killed
    "AshaBusTrialsRequeued",  # a worker killed
    "AshaBusAllTrialsFail",  # an objective that always fails
    "AshaBusTrialsFail",  # one that fails from some trial on
}

#: Those that may fire without any fault where the machine is very busy.
ON_A_BUSY_MACHINE = {"AshaBusSlow", "AshaBusStalled"}

#: A driver that is killed in the middle of its run.
PROGRAM = """
    import sys
    import asha_bus as ab

    def objective(x):
        import time
        for step in range(100_000):
            time.sleep(0.1)
            yield x

    if __name__ == "__main__":
        ab.launch(
            objective, {"x": ab.uniform(0, 1)}, max_trials=10, engine="local", workers=1,
            monitor=None, name="driver", metrics_port=0, bus=ab.BusOptions(sd_file=sys.argv[1]),
        )
"""


@dataclass
class Scene:
    """The run that is watched, what watches it, and when it began."""

    server: Prometheus
    run: ab.Run
    folder: Path
    began: float

    def expressions(self) -> Iterator[Expression]:
        """All that is asked about this run."""
        for path in DASHBOARDS:
            for found in asked_by(path):
                text = substituted(found.text, run=STEADY, interval="1s", window="4s", whole="90s")
                yield found._replace(text=text)
        for name in alert_rules(self.server):
            yield Expression(name, self.rule(name), False)

    def rule(self, name: str) -> str:
        """The expression of an alert rule, with shorter windows."""
        return faster(alert_rules(self.server)[name], FASTER.get(name, FASTER_ELSE))

    def unanswered(self) -> set[str]:
        """Which of them have given no number so far."""
        found = set()
        for where, text, instant in self.expressions():
            if instant:
                series = self.server.query(text)
            else:
                series = self.server.query_range(text, self.began, time.time() + 1)
            if not finite(series):
                found.add(where)
        return found

    def wait_for(self, expression: str) -> None:
        """Return once ``expression`` has an answer."""
        wait_until(lambda: bool(self.server.query(expression)))

    def stop_bus(self, seconds: float) -> None:
        """Let the bus stand still for a while."""
        os.kill(self.run.bus_pid, signal.SIGSTOP)
        time.sleep(seconds)
        os.kill(self.run.bus_pid, signal.SIGCONT)


@contextmanager
def killed_driver(folder: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A driver of its own; killed at the end, if nobody did it before."""
    program = folder / "driver.py"
    program.write_text(textwrap.dedent(PROGRAM))
    command = [sys.executable, str(program), str(folder / "targets-driver.json")]
    with (folder / "driver.log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT)
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def test_a_driver_that_ends_takes_its_file_along(tmp_path: Path) -> None:
    file = tmp_path / "targets.json"
    program = tmp_path / "driver.py"
    program.write_text(
        textwrap.dedent(PROGRAM).replace("100_000", "2")
        + '    assert open(sys.argv[1]).read().startswith(\'[{"targets": ["127.0.0.1:\')\n'
    )
    subprocess.run([sys.executable, str(program), str(file)], check=True, timeout=60)
    assert not file.exists()


def launch(objective, folder: Path, name: str, **settings) -> ab.Run:
    options = ab.BusOptions(sd_file=str(folder / f"targets-{name}.json"), lease_s=4)
    return ab.start(
        objective,
        settings.pop("space", {"x": ab.uniform(0, 1)}),
        engine="local",
        workers=2,
        monitor=None,
        name=name,
        metrics_port=0,
        bus=options,
        seed=7,
        **settings,
    )


def test_what_the_command_writes_makes_a_prometheus_of_this_machine_find_a_run(
    tmp_path: Path,
) -> None:
    require_prometheus()
    folder = tmp_path / "dashboards"
    assert 0 == cli.main(["dashboard", str(folder)])
    config, port = folder / "prometheus.yml", free_port()
    promtool("check", "config", str(config))
    text = config.read_text()
    assert "127.0.0.1:9464" in text  # the port of the documents, which others may use now
    config.write_text(text.replace(":9464", f":{port}").replace("interval: 5s", "interval: 1s"))
    run = ab.start(
        objectives.slow_slope,
        {"x": ab.uniform(0, 1)},
        engine="local",
        workers=1,
        monitor=None,
        name="found",
        metrics_port=port,
        max_time=600,
    )
    with prometheus.running(tmp_path, config=config) as server:
        wait_until(lambda: server.value('asha_bus_up{run="found"}') == 1)
        run.stop()
        run.result(timeout=60)


def test_every_query_returns_data(tmp_path: Path) -> None:
    require_prometheus()
    with prometheus.running(tmp_path) as server, killed_driver(tmp_path) as driver:
        began = time.time()
        run = launch(
            objectives.quiet_at_times,
            tmp_path,
            STEADY,
            space={"x": ab.uniform(0, 1), "folder": str(tmp_path)},
            scheduler=ab.ASHA(max_resource=9),
            max_trials=100_000,
        )
        scene = Scene(server, run, tmp_path, began)
        goes_well(scene)
        suffers(scene, driver)
        fail(scene)
        ends(scene)


def goes_well(scene: Scene) -> None:
    """A run in which nothing happens: neither alerts nor marks."""
    scene.wait_for(f'asha_bus_rung_entries{{run="{STEADY}", rung="1"}} > 20')
    time.sleep(3)  # for rates
    scrape = urlopen(scene.run.metrics_url or "", timeout=10).read().decode()
    assert "" == promtool("check", "metrics", text=scrape)
    assert NEEDS_END | NEEDS_FAULT == scene.unanswered() | ON_A_BUSY_MACHINE
    alerts = {alert["labels"]["alertname"] for alert in scene.server.get("alerts")["alerts"]}
    assert alerts <= ON_A_BUSY_MACHINE


def suffers(scene: Scene, driver: subprocess.Popen[bytes]) -> None:
    """The bus killed, stopped and slow, a worker killed, silence, another driver killed."""
    run = scene.run
    killed = run.bus_pid
    os.kill(killed, signal.SIGKILL)
    scene.wait_for(f'asha_bus_restarts_total{{run="{STEADY}"}} == 1')
    worker = children_of(os.getpid(), "asha_bus.executor")[0]
    os.kill(worker, signal.SIGKILL)
    scene.wait_for(f'asha_bus_requeued_total{{run="{STEADY}"}} > 0')
    scene.stop_bus(6.5)
    for _ in range(5):
        time.sleep(0.3)
        scene.stop_bus(0.2)
    scene.wait_for(scene.rule("AshaBusSlow"))
    quiet = scene.folder / "quiet"
    quiet.touch()
    scene.wait_for(scene.rule("AshaBusStalled"))
    quiet.unlink()
    scene.wait_for(f'asha_bus_up{{run="{DRIVER}"}}')
    driver.kill()
    scene.wait_for(scene.rule("AshaBusDriverGone"))


def fail(scene: Scene) -> None:
    """Two other runs: in one every trial fails, in the other every one from some time on."""
    turning = launch(objectives.fails_later, scene.folder, TURNING, max_trials=1_000)
    failing = launch(objectives.fails, scene.folder, FAILING, max_trials=1_000)
    with pytest.raises(ab.AllTrialsFailed):
        failing.result(timeout=60)
    scene.wait_for(f'asha_bus_trials{{run="{FAILING}", state="FAILED"}} > 4')
    scene.wait_for(scene.rule("AshaBusTrialsFail"))
    turning.stop()
    assert {TrialState.COMPLETED: 2}.items() <= turning.result(timeout=60).counts.items()


def ends(scene: Scene) -> None:
    """The last figures are those of the result, and nothing is left without an answer."""
    scene.run.stop()
    result = scene.run.result(timeout=60)
    scene.wait_for(f'asha_bus_run_end_timestamp_seconds{{run="{STEADY}"}} > 0')
    assert set() == scene.unanswered()

    def figures(metric: str, *labels: str) -> dict[tuple[str, ...], float]:
        found = scene.server.query(f'asha_bus_{metric}{{run="{STEADY}"}}')
        return {tuple(s.labels[label] for label in labels): s.points[0][1] for s in found}

    assert {(str(state),): n for state, n in result.counts.items()} == figures("trials", "state")
    entered = {(f"{number}", f"{at:g}"): n for number, at, n, _ in result.rung_table()}
    assert entered == figures("rung_entries", "rung", "resource")
    decided = {
        (f"{number}", verdict): count
        for number, _, n, passed in result.rung_table()
        for verdict, count in (("continue", passed), ("stop", n - passed), ("complete", 0))
    }
    assert decided == figures("decisions_total", "rung", "verdict")
    reasons = figures("run_ended", "reason")
    assert {(reason,): float(reason == "stopped") for (reason,) in reasons} == reasons
    for metric, expected in {
        "reports_total": result.bus.reports,
        "verdicts_total": result.bus.decisions,
        "requeued_total": result.bus.requeued,
        "fenced_total": result.bus.fenced,
        "retried_total": result.bus.retried,
        "best_metric": result.best.metric if result.best else None,
        "restarts_total": 1,
        "up": 1,
    }.items():
        assert {(): expected} == figures(metric), metric
    processor = figures("process_cpu_seconds_total", "process")
    assert result.bus.process_cpu_s == pytest.approx(processor["bus",], abs=0.1)
    spent = sum(trial.resource for trial in result.trials)
    assert figures("resource_spent_total")[()] >= spent  # lost attempts also spent some
    firing = {alert["labels"]["alertname"]: alert for alert in scene.server.get("alerts")["alerts"]}
    assert STEADY in firing["AshaBusRestarted"]["annotations"]["summary"]
    assert {"AshaBusAllTrialsFail", "AshaBusTrialsRequeued"} <= set(firing)
