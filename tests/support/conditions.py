"""How bad the world of a story is."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Conditions:
    """How bad it is. Shares are from 0 to 1, times in seconds."""

    seed: int = 0
    workers: int = 2
    loss: float = 0.0
    doubled: float = 0.0
    delay_s: float = 0.01
    deaths: int = 0
    silences: int = 0
    copies: int = 0
    leaves: int = 0
    false_alarms: int = 0
    #: The bus dies, and comes up again from its journal.
    crashes: int = 0
    #: Of so many trials one fails, another one ends by itself.
    fails_every: int | None = None
    ends_every: int | None = None
    #: A suggestion takes up to so long.
    searcher_s: float = 0.0
    #: Reports advance the resource by up to so much.
    stride: int = 1
