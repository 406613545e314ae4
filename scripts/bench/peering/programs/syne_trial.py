"""The program that Syne Tune starts for each trial."""

from __future__ import annotations

import argparse

from syne_tune import Reporter

from bench.peering import recording as record
from bench.peering.curve import NAMES, STEPS, loss

if __name__ == "__main__":
    # user begins
    parser = argparse.ArgumentParser()
    for name in NAMES:
        parser.add_argument(f"--{name}", type=float)
    params = vars(parser.parse_known_args()[0])
    report = Reporter()
    with record.trial():
        for step in range(1, STEPS + 1):
            value = loss(params, step, record.asked().step_s)
            with record.report():
                report(step=step, loss=value)
    # user ends
