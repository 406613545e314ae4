"""Slots of an engine: when they are filled again, and when the run is given up."""

from __future__ import annotations

import pytest

from asha_bus.driver.engine import Hooks, Slots
from asha_bus.formats.pipe import Departure


@pytest.mark.parametrize("has_workers", [True, False])
def test_a_worker_that_cannot_load_its_job_ends_the_run_unless_others_work(
    has_workers: bool,
) -> None:
    failures: list[str] = []
    hooks = Hooks(
        lambda slot, how: Departure(False, False), lambda: has_workers, failures.append, print
    )
    pause_s = Slots(2, hooks).pause_s(0, joined=False, why="no module", is_hopeless=True)
    expected = (0.1, []) if has_workers else (None, ["no module"])
    assert expected == (pause_s, failures)
