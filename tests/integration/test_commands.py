"""The demo, the load test and a benchmark, run as a user does."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from support.clusters import require_java

SCRIPTS = Path(__file__).parents[2] / "scripts"


def command(*arguments: str) -> str:
    """What ``asha-bus`` prints where nothing is set up for Spark."""
    hints = ("PYSPARK_PYTHON", "SPARK_LOCAL_IP")
    done = subprocess.run(
        [sys.executable, "-m", "asha_bus.cli", *arguments],
        capture_output=True,
        text=True,
        timeout=280,
        env={name: value for name, value in os.environ.items() if name not in hints},
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout


@pytest.mark.slow
@pytest.mark.parametrize("engine", ["local", pytest.param("spark", marks=pytest.mark.spark)])
@pytest.mark.timeout(300)
def test_the_demo_ends_with_a_table_that_agrees_with_itself(engine: str) -> None:
    if engine == "spark":
        require_java()
    text = command("demo", "--engine", engine, "--trials", "18", "--seed", "3")
    shown = dict(re.findall(r"^(\S.*?)  +(.*)$", text, re.MULTILINE))
    trained, full = re.findall(r"[\d,]+", shown["epochs trained"])[:2]
    assert int(full.replace(",", "")) == 18 * 27
    assert 18 <= int(trained) < 18 * 27
    assert shown["rung 0 at 1 epochs"].startswith("18 entered, ")
    assert sum(map(int, re.findall(r"(\d+) \w+", shown["trials"]))) == 18
    assert "trained again" not in shown["on held-out test data"]  # it came out the same
    assert re.fullmatch(r"\d+\.\d% of the time, until .*", shown["workers busy"])
    assert "nan" not in text


@pytest.mark.timeout(120)
def test_the_load_test_ends_with_one_line_of_json() -> None:
    text = command("load-test", "--smoke", "--json", "--busy-driver")
    plain = json.loads(text.splitlines()[-1])
    wanted = {"workers", "decisions", "rate", "p50_us", "p99_us", "echo_p50_us", "echo_p99_us"}
    wanted |= {"p50_ratio", "p99_ratio", "server_cpu_us_per_decision", "busy_p50_change"}
    assert wanted <= set(plain)
    assert plain["decisions"] > 0
    assert plain["p50_ratio"] == pytest.approx(plain["p50_us"] / plain["echo_p50_us"], rel=0.01)
    assert "decision / bare echo" in text


@pytest.mark.parametrize("arguments", [("dashboard", "DIR")])
def test_a_reader_that_has_seen_enough_ends_a_command_quietly(
    arguments: tuple[str, ...], tmp_path: Path
) -> None:
    given = [str(tmp_path / "out") if one == "DIR" else one for one in arguments]
    reading, writing = os.pipe()
    os.close(reading)
    done = subprocess.run(
        [sys.executable, "-m", "asha_bus.cli", *given],
        stdout=writing,
        stderr=subprocess.PIPE,
        text=True,
        timeout=60,
        check=False,
    )
    os.close(writing)
    assert (141, "") == (done.returncode, done.stderr)
