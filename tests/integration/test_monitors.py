"""Monitors of a user's own in real runs."""

from __future__ import annotations

import json
import threading
from pathlib import Path
from typing import Any

import pytest
from support import objectives
from support.monitors import Blocker, Recorder

import asha_bus as ab
from asha_bus.monitors import dispatch

SPACE = {"x": ab.uniform(0, 1)}
OPTIONS: dict[str, Any] = {
    "engine": "local",
    "workers": 2,
    "max_trials": 12,
    "scheduler": ab.ASHA(max_resource=9),
    "name": "watched",
}


def of_trials(recorder: Recorder, method: str) -> list[int]:
    return [told[1].id for told in recorder.told if told[0] == method]


def test_a_custom_monitor_is_notified_in_order() -> None:
    recorder = Recorder()
    result = ab.launch(objectives.slow_slope, SPACE, monitor=recorder, seed=3, **OPTIONS)
    assert "on_start" == recorder.names[0]
    info = recorder.told[0][1]
    assert ("watched", "min", 3, ("x",), 12) == (
        info.name,
        info.mode,
        info.seed,
        info.parameters,
        info.max_trials,
    )
    assert "ASHA(max_resource=9, " == info.scheduler[:21]
    assert recorder.told[-1] == ("on_finish", result)
    for trial in result.trials:
        told = [one for one in recorder.told if getattr(one[1], "id", None) == trial.id]
        names = [one[0] for one in told]
        assert ("on_assign", "on_end") == (names[0], names[-1])
        assert (1, 1) == (names.count("on_assign"), names.count("on_end"))
        assert list(trial.rungs) == [one[2] for one in told if one[0] == "on_decision"]
        reports = [one[2:] for one in told if one[0] == "on_report"]
        assert (trial.resource, trial.metric) == reports[-1]
        assert sorted(reports) == reports
        ended = told[-1][1]
        assert (trial.state, trial.metric) == (ended.state, ended.metric)
    snapshots = [told[1] for told in recorder.told if told[0] == "on_refresh"]
    finished = [snapshot.finished for snapshot in snapshots]
    assert sorted(finished) == finished
    assert 12 == finished[-1]


def test_a_broken_and_a_blocked_monitor_leave_the_run_and_the_others_alone(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(name: str) -> None:
        if name == "on_assign":
            raise ZeroDivisionError("no luck")

    monkeypatch.setattr(dispatch, "_FINISH_S", 0.2)
    blocker = Blocker("on_report")
    broken, blocked, sound = Recorder(fail), Recorder(blocker), Recorder()
    result = ab.launch(
        objectives.slow_slope, SPACE, monitor=[broken, blocked, sound, "progress"], **OPTIONS
    )
    assert 12 == len(result.trials) == len(of_trials(sound, "on_end"))
    # a refresh comes first where the machine is busy
    assert ["on_start"] == [name for name in broken.names if name != "on_refresh"]
    assert "on_report" not in blocked.names
    messages = [record.getMessage() for record in caplog.records]
    assert [
        "monitor Recorder failed and is switched off",
        "monitor Recorder is still busy 0 s after the end of the run; no longer waiting",
    ] == [message for message in messages if message.startswith("monitor ")]
    assert "no luck" in [str(record.exc_info[1]) for record in caplog.records if record.exc_info]
    (thread,) = [t for t in threading.enumerate() if t.name == "asha-bus-monitor-Recorder"]
    blocker.go.set()
    thread.join(30)
    assert "on_finish" == blocked.names[-1]


def test_a_failed_run_is_reported_to_monitors() -> None:
    recorder = Recorder()
    with pytest.raises(ab.AllTrialsFailed) as caught:
        ab.launch(
            objectives.reports_what, {"value": ab.grid("a", "b")}, monitor=recorder, engine="local"
        )
    assert recorder.told[-1] == ("on_finish", caught.value.result)


def test_a_file_of_events_describes_the_run(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    result = ab.launch(objectives.slope, SPACE, monitor=[ab.FileMonitor(path)], **OPTIONS)
    lines = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    assert ("start", "finish") == (lines[0]["event"], lines[-1]["event"])
    assert result.best is not None
    assert result.best.id == lines[-1]["best"]["trial"]
    for trial in result.trials:
        decided = [
            (line["rung"], line["metric"], line["verdict"])
            for line in lines
            if line["event"] == "decision" and line["trial"] == trial.id
        ]
        assert decided == [(record.rung, record.metric, record.verdict) for record in trial.rungs]
        (end,) = [line for line in lines if line["event"] == "end" and line["trial"] == trial.id]
        assert (str(trial.state), trial.metric) == (end["state"], end["metric"])


def test_a_resumed_run_goes_on_in_the_same_file(tmp_path: Path) -> None:
    path, journal = tmp_path / "events.jsonl", tmp_path / "journal"
    for trials in (4, 8):
        ab.launch(
            objectives.slope,
            SPACE,
            monitor=ab.FileMonitor(path),
            journal=journal,
            resume=True,
            **{**OPTIONS, "max_trials": trials},
        )
    lines = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    events = [line["event"] for line in lines]
    assert (2, 2) == (events.count("start"), events.count("finish"))
    assert set(range(8)) == {line["trial"] for line in lines if line["event"] == "end"}
