"""The tuners that are compared, and the versions that their environments get."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

PROGRAMS = Path(__file__).resolve().parent / "programs"

#: What is installed into each environment, of which the first is the tuner.
ENVIRONMENTS = {
    "optuna": ("optuna==5.0.0", "grpcio==1.85.3", "protobuf==7.36.2"),
    "mlflow": ("mlflow==3.17.2", "optuna==5.0.0", "pyspark==4.3.0", "pandas==3.1.1"),
    "ray": ("ray[tune]==2.60.0",),
    "syne-tune": ("syne-tune[basic]==0.16.0",),
    "hyperopt": ("hyperopt==0.3.0", "pyspark==4.3.0"),
    # its last release needs these old versions
    "fugue-tune": (
        "tune==0.1.6",
        "fugue[spark]==0.8.7",
        "triad==0.9.8",
        "pyspark==3.5.6",
        "pandas==2.1.4",
        "numpy==1.26.4",
        "pyarrow==17.0.0",
        "setuptools==80.9.0",
        "flask==3.1.3",
        "requests==2.34.2",
    ),
    "maggy": ("maggy==1.1.2",),
}

#: Ours run in the environment that the script itself runs in.
OURS = "asha-bus"


class Peer(NamedTuple):
    """A tuner, and the program that runs it."""

    #: As in ``--peers``.
    key: str
    title: str
    #: In `PROGRAMS`; empty: there is none.
    program: str
    environment: str
    #: The other programs whose lines the user also writes.
    parts: tuple[str, ...] = ()
    arguments: tuple[str, ...] = ()
    #: Whether a report waits until its decision is known.
    waits: bool = True
    #: Whether each trial is a process, so that no worker has two.
    is_process: bool = False


_ASKS = ("optuna_objective",)

PEERS = (
    Peer("bus", "asha-bus, local", "bus_local", OURS, ("bus_objective",)),
    Peer("bus-spark", "asha-bus, Spark", "bus_spark", OURS, ("bus_objective",)),
    Peer("bus-optuna", "asha-bus, Optuna's program, local", "bus_study", OURS, _ASKS),
    Peer("bus-optuna-spark", "asha-bus, MLflow's program, Spark", "bus_spark_study", OURS, _ASKS),
    Peer("optuna", "Optuna, threads in memory", "optuna_memory", "optuna", _ASKS),
    Peer("optuna-journal", "Optuna, processes, journal file", "optuna_journal", "optuna", _ASKS),
    Peer("optuna-grpc", "Optuna, processes, gRPC storage", "optuna_grpc", "optuna", _ASKS),
    Peer("mlflow", "MlflowSparkStudy, SQLite", "mlflow_spark", "mlflow", _ASKS),
    Peer("ray", "Ray Tune", "ray_tune", "ray", is_process=True),
    Peer("ray-reuse", "Ray Tune, reuse_actors", "ray_tune", "ray", arguments=("reuse",)),
    Peer(
        "syne-tune",
        "Syne Tune, local backend",
        "syne_tune_local",
        "syne-tune",
        ("syne_trial",),
        waits=False,
        is_process=True,
    ),
    Peer("fugue-tune", "Fugue-Tune, Spark", "fugue_tune", "fugue-tune"),
    Peer("hyperopt", "Hyperopt, SparkTrials", "hyperopt_spark", "hyperopt", waits=False),
    Peer("maggy", "Maggy", "", "maggy"),  # it installs nowhere that we know
)

BY_KEY = {peer.key: peer for peer in PEERS}

#: What ``--smoke`` runs: in the script's own environment, in seconds.
SMOKE = ("bus", "optuna")


def user_lines(peer: Peer) -> int:
    """The lines that a user writes: no blank lines, comments, docstrings or measuring."""
    return sum(
        count_lines((PROGRAMS / f"{name}.py").read_text(encoding="utf-8"))
        for name in (peer.program, *peer.parts)
        if name
    )


def count_lines(source: str) -> int:
    """The lines of ``source`` between ``# user begins`` and ``# user ends``."""
    found, is_inside = 0, False
    for line in map(str.strip, source.splitlines()):
        if line in ("# user begins", "# user ends"):
            is_inside = line.endswith("begins")
        elif is_inside and line and not line.startswith(("#", '"""')):
            found += "record" not in line
    return found


def version_of(environment: str) -> str:
    """The tuner in an environment and its version, as in ``ray 2.60.0``."""
    name, version = ENVIRONMENTS[environment][0].split("==")
    return f"{name.partition('[')[0]} {version}"
