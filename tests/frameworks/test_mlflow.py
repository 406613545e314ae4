"""A run in a real MLflow server, also in one that is slow, or killed in the middle of the run."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

import asha_bus as ab

SPACE = {"x": ab.uniform(0, 1), "a: b": ab.choice(None, "c")}


def train(trial: ab.Trial) -> None:
    for step in range(1, 10):
        time.sleep(0.02)
        if not trial.report(trial.params["x"] / step, step):
            return


def slowly(x: float, **_: Any) -> Iterator[float]:
    """A few trials in the time that a server takes to start."""
    for step in range(1, 4):
        time.sleep(0.5)
        yield x / step


def until(condition: Callable[[], bool]) -> None:
    """Return once ``condition`` holds: a server takes its time to start."""
    deadline = time.monotonic() + 120
    while not condition():
        assert time.monotonic() < deadline, "what the test waits for did not come true"
        time.sleep(0.1)


class Server:
    """A tracking server on loopback, with its files in ``folder``."""

    def __init__(self, folder: Path) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.uri = f"http://127.0.0.1:{self.port}"
        self._folder = folder
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        command = [sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1"]
        command += ["--port", str(self.port), "--workers", "1"]
        command += ["--backend-store-uri", f"sqlite:///{self._folder}/mlflow.db"]
        command += ["--artifacts-destination", str(self._folder / "artifacts")]
        with open(self._folder / "server.log", "ab") as log:
            self._process = subprocess.Popen(
                command, cwd=self._folder, stdout=log, stderr=log, start_new_session=True
            )
        until(self._answers)

    def _answers(self) -> bool:
        try:
            with urllib.request.urlopen(f"{self.uri}/health", timeout=5) as answer:
                return bool(answer.status == 200)
        except OSError:
            return False

    def kill(self) -> None:
        """End it at once, with the processes that it has started."""
        if self._process is not None:
            os.killpg(self._process.pid, 9)
            self._process.wait()
            self._process = None


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_TIMEOUT", "5")
    monkeypatch.setenv("MLFLOW_DISABLE_TELEMETRY", "true")
    found = Server(tmp_path)
    try:
        found.start()
        yield found
    finally:
        found.kill()


def launch(monitor: Any, **arguments: Any) -> ab.Result:
    given: dict[str, Any] = {"scheduler": ab.ASHA(9), "max_trials": 12, "seed": 3, **arguments}
    return ab.launch(train, SPACE, monitor=monitor, engine="local", workers=2, **given)


def runs_of(server: Server, experiment: str) -> list[Any]:
    from mlflow import MlflowClient

    client = MlflowClient(tracking_uri=server.uri)
    found = client.get_experiment_by_name(experiment)
    if found is None:
        return []
    return list(client.search_runs([found.experiment_id], max_results=10_000))


@pytest.mark.slow
def test_each_trial_is_a_nested_run_and_the_report_an_artifact(
    server: Server, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    from mlflow import MlflowClient

    result = launch(ab.MLflowMonitor("digits", server.uri), name="mine")

    def parent() -> Any:
        return next(r for r in runs_of(server, "digits") if r.info.run_name == "mine")

    until(lambda: parent().info.status == "FINISHED")  # the launch waits 5 s at most
    whole = parent()
    best = result.best
    assert best is not None
    assert {"best.x": repr(best.params["x"])}.items() <= whole.data.params.items()
    assert best.metric == pytest.approx(whole.data.metrics["metric"])
    assert "max_trials" == whole.data.tags["reason"]
    client = MlflowClient(tracking_uri=server.uri)
    assert ["report.html"] == [one.path for one in client.list_artifacts(whole.info.run_id)]

    nested = {
        int(run.data.tags["trial"]): run
        for run in runs_of(server, "digits")
        if run.data.tags.get("mlflow.parentRunId") == whole.info.run_id
    }
    assert sorted(nested) == [trial.id for trial in result.trials]
    for trial in result.trials:
        run = nested[trial.id]
        assert str(trial.state) == run.data.tags["state"]
        assert "FINISHED" == run.info.status
        assert {"x": repr(trial.params["x"]), "a_ b": str(trial.params["a: b"])} == run.data.params
        history = client.get_metric_history(run.info.run_id, "metric")
        assert (trial.resource, trial.metric) == (history[-1].step, history[-1].value)
    assert not [said for said in caplog.messages if said.startswith("MLflow ")]
    assert "View run" not in capfd.readouterr().out


@pytest.mark.slow
def test_a_server_that_is_killed_loses_no_trial_and_is_caught_up(
    server: Server, caplog: pytest.LogCaptureFixture
) -> None:
    run = ab.start(
        slowly,
        SPACE,
        max_time=280,
        engine="local",
        workers=2,
        monitor=ab.MLflowMonitor("digits", server.uri),
        name="mine",
    )
    until(lambda: len(runs_of(server, "digits")) > 3)
    server.kill()
    ended = run.status()["states"]["COMPLETED"]
    until(lambda: run.status()["states"]["COMPLETED"] > ended + 4)
    server.start()
    missed = set(range(ended + 4))

    def ended_trials() -> set[int]:
        runs = [run for run in runs_of(server, "digits") if "trial" in run.data.tags]
        return {int(run.data.tags["trial"]) for run in runs if run.info.status == "FINISHED"}

    until(lambda: missed <= ended_trials())
    run.stop()
    assert "stopped" == run.result(timeout=60).reason
    assert 1 == caplog.text.count("MLflow cannot be reached")


class Slow:
    """Stands before ``server``, and answers each request a while after it has come."""

    def __init__(self, server: Server, seconds: float) -> None:
        self.answered = 0
        self.seconds = seconds
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def forward(self) -> None:
                time.sleep(outer.seconds)
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                request = urllib.request.Request(
                    server.uri + self.path,
                    data=body or None,
                    method=self.command,
                    headers={"Content-Type": self.headers.get("Content-Type", "text/plain")},
                )
                try:
                    with urllib.request.urlopen(request, timeout=30) as answer:
                        status, data = answer.status, answer.read()
                except urllib.error.HTTPError as error:
                    status, data = error.code, error.read()
                self.send_response(status)
                self.send_header("Content-Length", str(len(data)))
                self.send_header("Content-Type", "application/json")
                self.end_headers()
                self.wfile.write(data)
                outer.answered += 1

            do_GET = do_POST = do_PUT = do_PATCH = forward  # noqa: N815 - its names

            def log_message(self, *args: Any) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.uri = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(30)


@pytest.mark.slow
def test_a_server_that_is_slow_neither_delays_the_run_nor_loses_it(
    server: Server, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_TIMEOUT", "60")
    slow = Slow(server, seconds=3.0)  # all that is to be sent would take minutes
    try:
        monitor = ab.MLflowMonitor("digits", slow.uri)
        result = launch(monitor, max_trials=6)
        then, slow.seconds = slow.answered, 0.0
        assert "MLflowMonitor is still busy 5 s after the end of the run" in caplog.text
        assert monitor.wait(120)
        assert slow.answered > then  # the launch has not waited for these
    finally:
        slow.close()
    quick = launch(None, max_trials=6)
    assert [t.params for t in quick.trials] == [t.params for t in result.trials]
    runs = runs_of(server, "digits")
    ended = {int(r.data.tags["trial"]) for r in runs if "trial" in r.data.tags}
    assert set(range(6)) == ended
    assert {"FINISHED"} == {run.info.status for run in runs}
    assert 7 == len(runs)
    assert "MLflow cannot be reached" not in caplog.text


class Deaf(ab.MLflowMonitor):
    """Misses what happens while the run lasts, as one whose events were dropped."""

    hears = False

    def on_assign(self, trial: Any) -> None:
        pass

    def on_report(self, trial: Any, resource: float, metric: float) -> None:
        pass

    def on_end(self, trial: Any) -> None:
        if self.hears:
            super().on_end(trial)

    def on_finish(self, result: ab.Result | None) -> None:
        self.hears = True
        super().on_finish(result)


@pytest.mark.slow
@pytest.mark.filterwarnings("default")  # of the database that MLflow writes
def test_a_trial_whose_events_were_dropped_still_ends_in_mlflow(tmp_path: Path) -> None:
    from mlflow import MlflowClient

    uri = f"sqlite:///{tmp_path}/mlflow.db"
    monitor = Deaf("digits", uri, run_name="mine and deaf")
    result = launch(monitor, max_trials=3)
    assert monitor.wait(120)
    client = MlflowClient(tracking_uri=uri)
    experiment = client.get_experiment_by_name("digits")
    assert experiment is not None
    runs = client.search_runs([experiment.experiment_id])
    assert {"FINISHED"} == {run.info.status for run in runs}
    states = {r.data.tags["trial"]: r.data.tags["state"] for r in runs if "trial" in r.data.tags}
    assert {str(trial.id): str(trial.state) for trial in result.trials} == states
    assert ["mine and deaf"] == [r.info.run_name for r in runs if "trial" not in r.data.tags]


def test_a_server_that_is_not_there_never_fails_the_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    result = launch(ab.MLflowMonitor("digits", Server(tmp_path).uri))
    assert 12 == len(result.trials)
    assert 1 == caplog.text.count("MLflow cannot be reached")
    assert "MLflow did not get the end of 12 trials" in caplog.text


@pytest.fixture
def refusing() -> Iterator[str]:
    """The address of a server that lets nobody in."""

    class Handler(BaseHTTPRequestHandler):
        def refuse(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length", 0)))
            self.send_response(401)
            self.send_header("Content-Length", "0")
            self.end_headers()

        do_GET = do_POST = do_PUT = do_PATCH = refuse  # noqa: N815 - its names

        def log_message(self, *args: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def test_a_server_that_lets_nobody_in_is_warned_of_in_words(
    refusing: str, caplog: pytest.LogCaptureFixture
) -> None:
    monitor = ab.MLflowMonitor("mine", refusing)
    assert 12 == len(launch(monitor).trials)
    assert monitor.wait(30)
    assert "MLflow refused a part of the run" in caplog.text
    assert "MLflow did not get the end of 12 trials" in caplog.text
    assert "switched off" not in caplog.text


def test_what_mlflow_cannot_open_is_not_waited_for(caplog: pytest.LogCaptureFixture) -> None:
    monitor = ab.MLflowMonitor("mine", "nothing://knows.this")
    assert 12 == len(launch(monitor).trials)
    assert "switched off" in caplog.text
    assert monitor.wait(30)
