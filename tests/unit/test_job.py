"""What a worker is given."""

from __future__ import annotations

import pickle
from dataclasses import fields

import pytest
from support.plans import ENDLESS, square

from asha_bus.launching.job import BusAddress, Job


@pytest.mark.parametrize("flag", [True, False])
def test_a_job_arrives_as_it_was_sent(flag: bool) -> None:
    address = BusAddress("run", "tcp://127.0.0.1:1", b"a", b"b", b"c")
    job = Job(address, square, ENDLESS, capture_output=flag, data={"x": 1}, pauses=flag)
    sent = pickle.loads(pickle.dumps(job))
    names = [field.name for field in fields(Job) if field.name != "space"]
    assert [getattr(job, name) for name in names] == [getattr(sent, name) for name in names]
