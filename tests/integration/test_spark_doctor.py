"""The doctor on a local Spark: what is well, and what cannot be reached."""

from __future__ import annotations

import json
import socket
from typing import Any

import pytest

import asha_bus as ab
from asha_bus import cli
from asha_bus.diagnosis.report import Check, Report

pytestmark = [pytest.mark.spark, pytest.mark.timeout(300)]


def of(report: Report, name: str, where: str | None = None) -> list[Check]:
    return [check for check in report.checks if check.name == name and where in (None, check.where)]


@pytest.mark.slow
def test_a_sound_machine_is_ok(spark: Any, capsys: pytest.CaptureFixture[str]) -> None:
    report = ab.doctor(spark)
    assert report.ok, report
    (slots,) = of(report, "slots")
    assert "2 slots on 1 executor" == slots.text
    (bus,) = of(report, "bus")
    assert bus.text.startswith("tcp://127.0.0.1:")
    assert bus.text.endswith(" us")
    assert ["ok"] == [check.status for check in of(report, "clock")]
    description = spark.sparkContext.getLocalProperty("spark.job.description")
    assert description is None  # of this thread
    assert 0 == cli.main(["doctor", "--json"])  # of the active session
    plain = json.loads(capsys.readouterr().out)
    assert plain["ok"] is True
    assert {"name", "where", "status", "text", "advice"} == set(plain["checks"][0])


def test_a_port_that_is_taken_is_named(spark: Any, capsys: pytest.CaptureFixture[str]) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        status = cli.main(["doctor", "--host", "127.0.0.1", "--port", str(port)])
    assert 1 == status
    said = capsys.readouterr().out
    assert f"the bus could not listen at 127.0.0.1:{port}" in said
    assert "failure (driver, bus): Give a free port" in said


@pytest.mark.slow
def test_an_address_that_nobody_answers_ends_in_time(
    spark: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from asha_bus.driver import spark_survey

    # as behind a firewall: executors try another address than the one at which it listens
    monkeypatch.setattr(spark_survey, "hosts_of", lambda context: ("127.0.0.9", "127.0.0.1"))
    report = ab.doctor(spark)
    (bus,) = of(report, "bus")
    assert "failure" == bus.status
    assert bus.text.startswith("no answer from tcp://127.0.0.9:")
    assert "BusOptions(host=...)" in bus.advice
    assert not report.ok


@pytest.mark.slow
def test_a_name_that_executors_do_not_know_is_named(
    spark: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from asha_bus.driver import spark_survey

    monkeypatch.setattr(spark_survey, "hosts_of", lambda context: ("no.invalid", "127.0.0.1"))
    report = ab.doctor(spark)
    (name,) = of(report, "host name")
    assert "failure" == name.status
    assert name.text.startswith("no.invalid cannot be resolved: ")
