"""The doctor on real Spark: what is well, what is missing, and what cannot be reached."""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from lib.clusters import Cluster, make_session
from support.pythons import bare_python, lend

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


@pytest.mark.slow
def test_both_executors_of_a_cluster_are_checked(
    cluster: Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Their Python lacks asha_bus, then also msgpack, which is then sent."""
    python = bare_python(tmp_path / "venv")
    lend(python, "zmq")
    monkeypatch.setenv("PYSPARK_PYTHON", str(python))
    with session_on(cluster.master) as session:
        report = ab.doctor(session)
        assert "2 slots on 2 executors" == of(report, "slots")[0].text
        missing = [check for check in of(report, "msgpack") if check.where != "driver"]
        assert 2 == len(missing)
        assert {"failure"} == {check.status for check in missing}
        assert f"{python} -m pip install msgpack there" in missing[0].advice
        assert "not tried, since msgpack cannot be imported" == of(report, "bus")[0].text
        report = ab.doctor(session, bus=ab.BusOptions(ship_packages=True))
        assert report.ok, report
        texts = [check.text for check in of(report, "asha-bus") if check.where != "driver"]
        assert [f"not installed; a launch sends {ab.__version__}"] * 2 == texts
        assert 2 == len([check for check in of(report, "bus") if check.text.endswith(" us")])


@contextmanager
def session_on(master: str) -> Iterator[Any]:
    """One session on ``master``, which is stopped at the end."""
    session = make_session(master)
    try:
        yield session
    finally:
        session.stop()


@pytest.mark.slow
def test_slots_that_others_have_end_in_time(cluster: Cluster) -> None:
    with session_on(cluster.master) as session:
        context = session.sparkContext

        def hold(_: Any) -> Iterator[int]:
            import time

            time.sleep(60)
            yield 0

        def run() -> None:
            try:
                context.parallelize(range(2), 2).mapPartitions(hold).collect()
            except Exception:  # it is cancelled
                pass

        holder = threading.Thread(target=run)
        holder.start()
        while not context.statusTracker().getActiveJobsIds():
            time.sleep(0.05)
        report = ab.doctor(session, timeout_s=3)
        context.cancelAllJobs()
        holder.join()
        (tasks,) = of(report, "tasks")
        assert "failure" == tasks.status
        assert "did not run a task each within 3 s" in tasks.text
