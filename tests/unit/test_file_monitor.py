"""The file of events: strict JSON, one line each, and nothing lost that was there."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest
from support.monitors import INFO, SNAPSHOT
from support.results import make_result, make_trial

from asha_bus import FileMonitor, RungRecord, TrialState
from asha_bus.core.errors import InvalidArgument
from asha_bus.monitors.base import Assigned, Decided, Reported, TrialEnded, dispatch


def lines_of(path: Path) -> list[dict[str, Any]]:
    """What is in the file; NaN and the like, which no JSON knows, are refused."""

    def refuse(text: str) -> None:
        raise AssertionError(f"{text} is no JSON")

    text = path.read_text(encoding="utf-8")
    assert text.endswith("\n")
    return [json.loads(line, parse_constant=refuse) for line in text.splitlines()]


def test_everything_that_happens_is_a_line(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    monitor = FileMonitor(path)
    trial = make_trial(3, TrialState.COMPLETED, 0.5, attempts=2, worker="w-1", bracket=1)
    monitor.on_start(INFO)
    for event in (
        Assigned(trial),
        Reported(trial, 1.0, 0.75),
        Decided(trial, RungRecord(0, 1.0, 0.75, 4, 1, None, "stop")),
        TrialEnded(trial),
    ):
        dispatch(monitor, event)
    monitor.on_refresh(SNAPSHOT)
    assert 5 == len(lines_of(path))  # flushed
    monitor.on_finish(make_result(trial))
    lines = lines_of(path)
    times = [line.pop("time") for line in lines]
    assert sorted(times) == times
    states = {**dict.fromkeys(map(str, TrialState), 0), "COMPLETED": 1}
    assert lines == [
        {
            "event": "start",
            "run": "my-run",
            "mode": "min",
            "seed": 7,
            "parameters": ["x"],
            "scheduler": "ASHA(max_resource=81)",
            "searcher": "RandomSearch()",
            "max_trials": 20,
        },
        {
            "event": "assign",
            "trial": 3,
            "attempt": 2,
            "worker": "w-1",
            "bracket": 1,
            "params": {"x": 0.3},
        },
        {"event": "report", "trial": 3, "attempt": 2, "resource": 1.0, "metric": 0.75},
        {
            "event": "decision",
            "trial": 3,
            "bracket": 1,
            "rung": 0,
            "resource": 1.0,
            "metric": 0.75,
            "n": 4,
            "keep": 1,
            "cutoff": None,
            "verdict": "stop",
            "mean": None,
            "paused_n": None,
            "reason": None,
        },
        {
            "event": "end",
            "trial": 3,
            "attempt": 2,
            "state": "COMPLETED",
            "resource": 1,
            "metric": 0.5,
            "best_metric": 0.5,
            "best_resource": None,
            "error": None,
        },
        {
            "event": "finish",
            "reason": "max_trials",
            "message": "",
            "elapsed_s": 12.34,
            "states": states,
            "best": {"trial": 3, "metric": 0.5, "params": {"x": 0.3}},
        },
    ]


def test_values_that_json_lacks_are_texts(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    monitor = FileMonitor(path)
    params = {
        "x": math.inf,
        "nested": {"values": (1, None, True, -math.inf), 2: "zwei"},
        "option": int,
    }
    monitor.on_start(INFO)
    monitor.on_assign(make_trial(0, params=params))
    monitor.on_report(make_trial(0), 1.0, math.nan)
    monitor.on_finish(None)
    _, assigned, reported, finished = lines_of(path)
    assert assigned["params"] == {
        "x": "Infinity",
        "nested": {"values": [1, None, True, "-Infinity"], "2": "zwei"},
        "option": "<class 'int'>",
    }
    assert "NaN" == reported["metric"]
    assert finished["reason"] is None


@pytest.mark.parametrize("torn", ["", '{"event": "report", "tri'])
def test_a_run_appends_to_an_existing_file(tmp_path: Path, torn: str) -> None:
    path = tmp_path / "events.jsonl"
    path.write_text(f'{{"event": "start"}}\n{torn}', encoding="utf-8")
    monitor = FileMonitor(str(path))
    for _ in range(2):  # one run after the other
        monitor.on_start(INFO)
        monitor.on_finish(None)
    lines = path.read_text(encoding="utf-8").splitlines()
    assert ['{"event": "start"}', *([torn] if torn else [])] == lines[:-4]
    assert ["start", "finish"] * 2 == [json.loads(line)["event"] for line in lines[-4:]]


def test_a_file_that_cannot_be_written_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "nowhere" / "events.jsonl"
    with pytest.raises(InvalidArgument) as caught:
        FileMonitor(path)
    assert str(caught.value) == (
        f"FileMonitor: path {str(path)!r} cannot be written: No such file or directory; give a "
        f"file in a folder that exists and that you may write to"
    )
    with pytest.raises(InvalidArgument, match="path must be the path of a file, got 3"):
        FileMonitor(3)  # type: ignore[arg-type]
