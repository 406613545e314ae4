"""Fugue-Tune's continuous ASHA on Spark."""

from __future__ import annotations

import socket

from fs.base import FS
from tune import (
    IterativeObjectiveFunc,
    Rand,
    Space,
    TrialReport,
    suggest_by_continuous_asha,
)

from bench.peering import recording as record
from bench.peering.curve import FACTOR, NAMES, STEPS, loss
from bench.peering.programs.spark_session import session

STEP_S = record.asked().step_s


# user begins
class Objective(IterativeObjectiveFunc):  # type: ignore[misc] # it is installed elsewhere
    """Train a step at a time."""

    def __init__(self) -> None:
        super().__init__()
        self.step = 0
        self.began = 0.0

    def copy(self) -> Objective:
        return Objective()

    def initialize(self) -> None:
        record.begin()
        self.params = self.current_trial.params.simple_value

    def load_checkpoint(self, fs: FS) -> None:
        self.step = int(fs.readtext("step"))

    def save_checkpoint(self, fs: FS) -> None:
        fs.writetext("step", str(self.step))

    def run_single_iteration(self) -> TrialReport:
        if self.began:  # record
            record.reported(self.began)
        self.step += 1
        value = loss(self.params, self.step, STEP_S)
        self.began = record.clock()
        return TrialReport(self.current_trial, metric=value)

    def finalize(self) -> None:
        if self.began:  # record
            record.reported(self.began)
        record.end()


# user ends


if __name__ == "__main__":
    ask = record.asked()
    spark = session(ask.workers)
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port = found.getsockname()[1]
    count = ask.trials
    record.called()
    # user begins
    plan, steps = [], 0
    for steps_by_then in (1, FACTOR, FACTOR**2, STEPS):
        count = max(count // FACTOR, 1)
        plan.append((float(steps_by_then - steps), count))
        steps = steps_by_then
    suggest_by_continuous_asha(
        Objective(),
        Space(**{name: Rand(0, 1) for name in NAMES}).sample(ask.trials),
        plan,
        temp_path=ask.folder,
        execution_engine=spark,
        execution_engine_conf={
            "fugue.rpc.server": "fugue.rpc.flask.FlaskRPCServer",
            "fugue.rpc.flask_server.host": "127.0.0.1",
            "fugue.rpc.flask_server.port": str(port),
            "fugue.rpc.flask_server.timeout": "10 sec",
        },
    )
    # user ends
