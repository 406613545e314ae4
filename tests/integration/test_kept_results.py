"""What is kept of a real run: its saved result, its place in a folder, the call to resume it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import asha_bus as ab
from asha_bus.launching.resumption import resume_call

SPACE = {"x": ab.uniform(-1, 1)}


def train(x: float) -> Any:
    for epoch in range(1, 10):
        yield x**2 / epoch


def test_a_run_is_saved_listed_and_resumed_by_the_printed_call(tmp_path: Path) -> None:
    journal = tmp_path / "run.journal"
    given: dict[str, Any] = {"scheduler": ab.ASHA(9), "seed": 3, "engine": "local", "workers": 2}
    result = ab.launch(train, SPACE, max_trials=6, journal=journal, monitor=None, **given)
    loaded = ab.Result.load(result.save(tmp_path / "run.result"))
    assert repr(result) == repr(loaded)
    assert result.best is not None
    assert loaded.best is not None
    assert (result.best.metric, result.best.params) == (loaded.best.metric, loaded.best.params)
    assert ["max_trials", "max_trials"] == [one.state for one in ab.runs(tmp_path)]

    said = resume_call(journal)
    assert "to extend it, raise that limit" in said
    names: dict[str, Any] = {"ab": ab, "objective": train, "space": SPACE}
    exec(said.replace("max_trials=6", "max_trials=8"), names)
    again: ab.Result = names["result"]
    assert (result.name, 3, 8) == (again.name, again.seed, len(again.trials))
    assert [t.point for t in result.trials] == [t.point for t in again.trials[:6]]
