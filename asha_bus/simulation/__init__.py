"""Runs in virtual time on learning curves: what a scheduler does with many workers, in seconds.

`simulate` drives the very experiment and schedulers of a real run; its workers and its
network are events in one heap.
"""

from asha_bus.simulation._simulate import simulate
from asha_bus.simulation.outcome import Simulated

__all__ = ["Simulated", "simulate"]
