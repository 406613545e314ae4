"""The endpoint of metrics: opened by a launch, shared, told to Prometheus, and closed."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import pytest
from lib.processes import free_port
from prometheus_client.parser import text_string_to_metric_families
from support import objectives
from support.processes import wait_until

import asha_bus as ab
from asha_bus.core.trial import TrialState
from asha_bus.driver import exporter

SPACE = {"x": ab.uniform(0, 1)}


def start(objective: Any = objectives.slope, **arguments: Any) -> ab.Run:
    settings = {
        "engine": "local",
        "workers": 2,
        "monitor": None,
        "seed": 7,
        "metrics_port": 0,
        "max_trials": 20,
        "scheduler": ab.ASHA(max_resource=9),
    }
    return ab.start(objective, SPACE, **{**settings, **arguments})


def scrape(run: ab.Run) -> dict[str, dict[tuple[str, ...], float]]:
    """By metric and run: the values, by the values of the other labels in order of their names."""
    assert run.metrics_url is not None
    found: dict[str, dict[tuple[str, ...], float]] = {}
    with urllib.request.urlopen(run.metrics_url, timeout=5) as answer:
        for family in text_string_to_metric_families(answer.read().decode()):
            for sample in family.samples:
                labels = dict(sample.labels)
                mine = labels.pop("run")
                others = tuple(value for _, value in sorted(labels.items()))
                found.setdefault(f"{mine}/{sample.name}", {})[others] = sample.value
    return found


def test_the_last_metrics_served_agree_with_the_result(
    capsys: pytest.CaptureFixture[str],
) -> None:
    run = start(name="one")
    result = run.result(timeout=60)
    found = scrape(run)
    for state, count in result.counts.items():
        assert count == found["one/asha_bus_trials"][str(state),]
    for rung, resource, entries, passed in result.rung_table():
        where = ("0", f"{resource:g}", str(rung))
        assert entries == found["one/asha_bus_rung_entries"][where]
        assert passed == found["one/asha_bus_decisions_total"][(*where, "continue")]
        assert entries - passed == found["one/asha_bus_decisions_total"][(*where, "stop")]
    assert result.best is not None
    assert result.best.metric == found["one/asha_bus_best_metric"][()]
    assert result.bus.reports == found["one/asha_bus_reports_total"][()]
    spent = sum(trial.resource for trial in result.trials)
    saved = sum(9 - t.resource for t in result.trials if t.state is TrialState.STOPPED)
    assert spent == found["one/asha_bus_resource_spent_total"][()]
    assert saved == found["one/asha_bus_resource_saved_total"][()]
    assert 1 == found["one/asha_bus_run_ended"]["max_trials",]
    assert 1 == found["one/asha_bus_up"][()]
    assert f"metrics of one: {run.metrics_url}\n" == capsys.readouterr().out


def test_the_endpoint_lingers_after_the_result_and_is_closed_then(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(exporter, "LINGER_S", 1.0)
    path = tmp_path / "targets.json"
    run = start(bus=ab.BusOptions(sd_file=str(path)))
    [entry] = json.loads(path.read_text())
    assert [f"{entry['targets'][0]}"] == [run.metrics_url.split("/")[2]]  # type: ignore[union-attr]
    run.result(timeout=60)
    assert scrape(run)
    wait_until(lambda: not answers(run))
    assert not path.exists()


def answers(run: ab.Run) -> bool:
    try:
        scrape(run)
    except (urllib.error.URLError, OSError):
        return False
    return True


def test_a_port_that_is_taken_is_an_error_that_names_it() -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        with pytest.raises(
            ab.InvalidArgument, match=rf"metrics_port={port}: cannot listen at 127.0.0.1:{port}"
        ):
            start(metrics_port=port)


def test_runs_of_one_process_share_a_port_and_each_has_its_label() -> None:
    port = free_port()
    first = start(objectives.slow_slope, metrics_port=port, name="same", max_trials=9_000)
    second = start(metrics_port=port, name="same")
    third = start(metrics_port=port, name="other")
    assert first.metrics_url == second.metrics_url == third.metrics_url
    for run in (second, third):
        run.result(timeout=60)
    # a run appears with its first status
    wait_until(lambda: any(name.startswith("same/") for name in scrape(first)))
    found = scrape(first)
    assert {"same", "same-2", "other"} == {name.partition("/")[0] for name in found}
    assert 1 == found["same-2/asha_bus_run_ended"]["max_trials",]
    assert 0 == sum(found["same/asha_bus_run_ended"].values())
    first.stop()
    first.result(timeout=60)


def test_a_launch_that_fails_leaves_no_endpoint(tmp_path: Path) -> None:
    port = free_port()
    for bus in (
        ab.BusOptions(sd_file=str(tmp_path / "no" / "such" / "folder.json")),
        ab.BusOptions(host="203.0.113.1"),
    ):
        with pytest.raises(ab.AshaBusError, match=r"sd_file .* cannot be written|could not listen"):
            start(metrics_port=port, bus=bus)
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(("127.0.0.1", port))


def test_counters_go_on_when_the_bus_was_killed() -> None:
    run = start(objectives.slow_slope, max_trials=200)
    wait_until(lambda: run.status()["reports"] > 20)
    time.sleep(0.6)
    before = scrape(run)
    os.kill(run.bus_pid, signal.SIGKILL)
    name = f"{run.name}/asha_bus_restarts_total"
    wait_until(lambda: scrape(run)[name][()] == 1)
    after = scrape(run)
    assert after[f"{run.name}/asha_bus_replay_seconds"][()] > 0
    for metric, samples in before.items():
        if metric.endswith(("_total", "_bucket", "_count", "_sum")):
            for labels, value in samples.items():
                if metric.partition("/")[2] != "asha_bus_process_cpu_seconds_total":
                    assert after[metric][labels] >= value, metric
    run.stop()
    run.result(timeout=60)


def test_the_options_name_what_is_wrong() -> None:
    for value in (-1, 65_536, True, "9000", 1.5):
        with pytest.raises(ab.InvalidArgument, match="metrics_port must be a whole number"):
            start(metrics_port=value)
    with pytest.raises(ab.InvalidArgument, match="sd_file names the endpoint of metrics_port"):
        start(metrics_port=None, bus=ab.BusOptions(sd_file="targets.json"))
    with pytest.raises(ab.InvalidArgument, match="BusOptions: metrics_host must be a host name"):
        ab.BusOptions(metrics_host=None)  # type: ignore[arg-type]
    with pytest.raises(ab.InvalidArgument, match=r"BusOptions\(\) takes no 'curves'; use"):
        ab.BusOptions(curves=True)  # type: ignore[call-arg]
    with pytest.raises(ab.InvalidArgument, match="curves must be True or False"):
        start(curves=1)


SCRIPT = """
import sys, time
import asha_bus as ab

def train(x):
    time.sleep(0.05)
    return x

ab.launch(train, {"x": ab.uniform(0, 1)}, engine="local", workers=1, monitor=None, name="short",
          max_trials=60, metrics_port=int(sys.argv[1]), bus=ab.BusOptions(sd_file=sys.argv[2]))
print("ended", flush=True)
"""


@pytest.mark.parametrize("is_scraped", [True, False])
def test_a_script_that_ends_at_once_waits_for_its_scraper(is_scraped: bool, tmp_path: Path) -> None:
    port, targets = free_port(), tmp_path / "targets.json"
    program = tmp_path / "program.py"
    program.write_text(SCRIPT)
    url = f"http://127.0.0.1:{port}/metrics"
    with subprocess.Popen(
        [sys.executable, str(program), str(port), str(targets)], stdout=subprocess.PIPE, text=True
    ) as running:
        try:
            wait_until(targets.exists)
            assert running.stdout is not None
            if is_scraped:
                urllib.request.urlopen(url, timeout=5).close()
            assert "ended" == running.stdout.readline().strip()
            if is_scraped:
                with pytest.raises(subprocess.TimeoutExpired):
                    running.wait(1.0)
                with urllib.request.urlopen(url, timeout=5) as answer:
                    told = answer.read().decode()
                assert 'asha_bus_run_ended{reason="max_trials",run="short"} 1.0' in told
            assert 0 == running.wait(5.0)
        finally:
            running.kill()
    assert not targets.exists()
