"""Options of the bus that most users never touch."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields

from asha_bus.core.errors import InvalidArgument


@dataclass(frozen=True)
class BusOptions:
    """How the bus listens and how long it is patient. Times are in seconds.

    ``host``: the address to bind and to tell the workers; None takes Spark's
    ``spark.driver.host`` on Spark and 127.0.0.1 for ``engine="local"``.
    ``port``: 0 takes a free one (default).
    ``lease_s``: a worker that was silent for so long is taken for gone (default 60).
    ``bus_timeout_s``: workers give up when the bus was silent for so long (default 60).
    ``max_attempts``: a trial whose worker was lost is run so often in all (default 3).
    ``start_timeout_s``: the bus must be up within this time (default 30).

    Raises `InvalidArgument`, naming the option.
    """

    host: str | None = None
    port: int = 0
    lease_s: float = 60.0
    bus_timeout_s: float = 60.0
    max_attempts: int = 3
    start_timeout_s: float = 30.0

    def __post_init__(self) -> None:
        if self.host is not None and not (isinstance(self.host, str) and self.host):
            raise InvalidArgument(
                f"BusOptions: host must be a host name or None, got {self.host!r}"
            )
        _whole("port", self.port, 0, 65_535)
        _whole("max_attempts", self.max_attempts, 1, 1_000)
        for field in fields(self):
            if field.name.endswith("_s"):
                value = getattr(self, field.name)
                if (
                    isinstance(value, bool)
                    or not isinstance(value, (int, float))
                    or not (math.isfinite(value) and value > 0)
                ):
                    raise InvalidArgument(
                        f"BusOptions: {field.name} must be a number of seconds above 0, "
                        f"got {value!r}"
                    )

    @property
    def beat_s(self) -> float:
        """Seconds between two heartbeats of a worker."""
        return min(5.0, self.lease_s / 4, self.bus_timeout_s / 4)


def _whole(name: str, value: object, least: int, most: int) -> None:
    if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
        raise InvalidArgument(
            f"BusOptions: {name} must be a whole number from {least} to {most}, got {value!r}"
        )
