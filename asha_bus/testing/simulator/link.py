"""The network between the bus and its workers."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from random import Random
from typing import Any

from asha_bus.core import messages as m
from asha_bus.formats import wire
from asha_bus.testing.simulator.clock import Clock


class Link:
    """A network that delivers each message once, in order, and takes no time."""

    #: Whether messages may be lost, so that requests must be repeated.
    is_lossy = False

    def __init__(self, clock: Clock) -> None:
        self._clock = clock

    def to_bus(self, message: m.FromWorker, arrive: Callable[[m.FromWorker], None]) -> None:
        """Carry a worker's message."""
        self._clock.later(0.0, partial(arrive, message))

    def to_worker(self, message: m.ToWorker, arrive: Callable[[m.ToWorker], None]) -> None:
        """Carry a message of the bus."""
        self._clock.later(0.0, partial(arrive, message))


class LossyLink(Link):
    """A network that loses, doubles, delays and reorders; messages travel as bytes.

    ``loss`` and ``doubled`` are shares from 0 to 1; each copy takes up to ``delay_s``.
    """

    is_lossy = True

    def __init__(
        self, clock: Clock, random: Random, *, loss: float, doubled: float, delay_s: float
    ) -> None:
        super().__init__(clock)
        self._random = random
        self._loss, self._doubled, self._delay_s = loss, doubled, delay_s

    def to_bus(self, message: m.FromWorker, arrive: Callable[[m.FromWorker], None]) -> None:
        self._carry(wire.encode(message), wire.decode_from_worker, arrive)

    def to_worker(self, message: m.ToWorker, arrive: Callable[[m.ToWorker], None]) -> None:
        self._carry(wire.encode(message), wire.decode_to_worker, arrive)

    def _carry(
        self, body: bytes, decode: Callable[[bytes], Any], arrive: Callable[[Any], None]
    ) -> None:
        if self._random.random() < self._loss:
            return
        for _ in range(1 + (self._random.random() < self._doubled)):
            delay_s = self._random.uniform(0, self._delay_s)
            self._clock.later(delay_s, lambda: arrive(decode(body)))
