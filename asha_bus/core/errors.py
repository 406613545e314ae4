"""The errors of asha-bus, one small tree.

::

    AshaBusError
    ├── InvalidArgument        an argument of the public API is wrong (also a ValueError)
    ├── ObjectiveError         what an objective gave back cannot be used: that trial fails
    ├── ProtocolError
    │   ├── LocalProtocolError     our own side broke the protocol: a bug here
    │   └── RemoteProtocolError    the peer sent what the protocol does not allow
    ├── BusError               the bus could not start, be reached, or go on
    ├── JournalError           the journal cannot be read, written, or resumed from
    ├── SearcherError          a searcher raised, or suggested what is not in the space
    ├── WorkerError            the workers could not be started, or kept dying
    └── AllTrialsFailed        no trial of the run succeeded; carries the result, and so
                               stands beside it, in asha_bus.result

Each message says what was wrong, shows the value, and says what to do.
"""

from __future__ import annotations

__all__ = [
    "AshaBusError",
    "BusError",
    "InvalidArgument",
    "JournalError",
    "LocalProtocolError",
    "ObjectiveError",
    "ProtocolError",
    "RemoteProtocolError",
    "SearcherError",
    "WorkerError",
]


class AshaBusError(Exception):
    """The base of every error that asha-bus raises on purpose."""


class InvalidArgument(AshaBusError, ValueError):
    """An argument of the public API is wrong; the message names it and the fix."""


class ObjectiveError(AshaBusError):
    """An objective returned, yielded or reported something that is no metric.

    It fails the trial it came from and no other.
    """


class ProtocolError(AshaBusError):
    """The bus protocol was broken, by this side or by the other."""


class LocalProtocolError(ProtocolError):
    """This side tried to do what the protocol does not allow: a bug of asha-bus."""


class RemoteProtocolError(ProtocolError):
    """The peer sent bytes that are no message of the protocol.

    ``seq`` is that of the broken request, so that it can be answered; 0: none.
    ``kind`` is one of `asha_bus.core.messages.REJECTED_KINDS`, for the counters.
    """

    def __init__(self, message: str, *, kind: str = "malformed", seq: int = 0) -> None:
        super().__init__(message)
        self.kind = kind
        self.seq = seq


class BusError(AshaBusError):
    """The bus could not be started or reached, or it ended before the run did."""


class JournalError(AshaBusError):
    """The journal of a run cannot be read, written, or resumed from."""


class SearcherError(AshaBusError):
    """A searcher raised, suggested what is not in the space, or cannot be sent to its process."""


class WorkerError(AshaBusError):
    """Workers could not be started, lack a package, or died again and again."""
