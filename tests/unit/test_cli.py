"""The command line: what it says to bad input, and that it begins lightly."""

from __future__ import annotations

import subprocess
import sys

import pytest

import asha_bus as ab
from asha_bus import cli


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        cli.main(["--version"])
    assert ended.value.code == 0
    assert capsys.readouterr().out == f"asha-bus {ab.__version__}\n"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "COMMAND"),
        (["demo", "--workers", "0"], "must be at least 1, got 0"),
        (["demo", "--engine", "dask"], "invalid choice: 'dask'"),
        (["load-test", "--seconds", "-1"], "must be above 0"),
    ],
)
def test_bad_arguments_are_named(
    arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        cli.main(arguments)
    assert ended.value.code == 2
    assert said in capsys.readouterr().err


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (ab.InvalidArgument("bad"), 2),
        (ab.BusError("gone"), 1),
        (ModuleNotFoundError("no sklearn", name="sklearn"), 1),
    ],
)
def test_errors_are_one_line(
    error: Exception,
    status: int,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def fail(given: object) -> None:
        raise error

    monkeypatch.setattr(cli, "_demo", fail)
    assert cli.main(["demo"]) == status
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 1
    assert lines[0].startswith("asha-bus: ")


def test_help_loads_none_of_the_heavy_packages() -> None:
    code = (
        "import sys\nfrom asha_bus import cli\n"
        "try:\n    cli.main(['demo', '--help'])\nexcept SystemExit:\n    pass\n"
        "heavy = {'zmq', 'numpy', 'sklearn', 'pyspark', 'tqdm'} & set(sys.modules)\n"
        "sys.exit(str(heavy) if heavy else 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")


def test_a_simulated_scheduler_reduces_by_the_factor_of_a_real_one() -> None:
    parsed = cli._parser().parse_args(["simulate"])
    assert ab.ASHA(81).reduction_factor == parsed.eta
