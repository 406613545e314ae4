"""Runs in virtual time, driven by the very experiment, searcher and workers of production.

`Simulation` runs workers, as many as you like, over a perfect network; `Story` runs them
over a bad one, with deaths, crashes and a journal, and checks each step; `Bench` is an
experiment that you drive by hand, message by message. Nothing here waits for real time, and
the same arguments give the same run.
"""

from asha_bus.testing.simulator.bus import Bus
from asha_bus.testing.simulator.by_hand import RUN, Bench
from asha_bus.testing.simulator.checks import check
from asha_bus.testing.simulator.clock import Clock
from asha_bus.testing.simulator.link import Link, LossyLink
from asha_bus.testing.simulator.objectives import Objective, Rough, Step
from asha_bus.testing.simulator.simulation import Searcher, Simulation
from asha_bus.testing.simulator.story import Conditions, FixedPoints, Story
from asha_bus.testing.simulator.worker import VirtualWorker

__all__ = [
    "RUN",
    "Bench",
    "Bus",
    "Clock",
    "Conditions",
    "FixedPoints",
    "Link",
    "LossyLink",
    "Objective",
    "Rough",
    "Searcher",
    "Simulation",
    "Step",
    "Story",
    "VirtualWorker",
    "check",
]
