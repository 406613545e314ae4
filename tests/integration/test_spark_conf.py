"""What Spark's configuration decides: the bus's options, and more workers than slots."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from support import objectives
from support.clusters import free_port, make_session, require_java

import asha_bus as ab
from asha_bus.core.trial import TrialState

pytestmark = [pytest.mark.spark, pytest.mark.timeout(180)]

PORT = free_port()


@pytest.fixture(scope="module")
def session() -> Iterator[Any]:
    """A session whose operator chose the bus's port."""
    require_java()
    found = make_session("local[1]", {"spark.ashaBus.port": str(PORT)})
    yield found
    found.stop()


def test_the_operators_port_is_used_unless_the_user_gives_options(session: Any) -> None:
    space = {"x": ab.uniform(0, 1)}
    settings = {"spark": session, "max_trials": 2, "monitor": None, "block": False}
    handle = ab.launch(objectives.square, space, **settings)
    assert handle.bus_address == f"tcp://127.0.0.1:{PORT}"
    assert handle.result(timeout=60).counts[TrialState.COMPLETED] == 2
    handle = ab.launch(objectives.square, space, bus=ab.BusOptions(), **settings)
    assert handle.bus_address != f"tcp://127.0.0.1:{PORT}"
    assert handle.result(timeout=60).counts[TrialState.COMPLETED] == 2
