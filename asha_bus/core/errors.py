"""The exceptions of asha-bus, one small tree.

::

    AshaBusError
    ├── InvalidArgument        an argument of the public API is wrong (also a ValueError)
    ├── ObjectiveError         an objective returned something unusable: that trial fails
    ├── ProtocolError
    │   ├── LocalProtocolError     this side broke the protocol: a bug in asha-bus
    │   └── RemoteProtocolError    the peer sent something that the protocol does not allow
    ├── BusError               the bus could not start, be reached, or continue
    ├── JournalError           the journal cannot be read, written, or resumed from
    ├── SchedulerError         a scheduler gave an answer that no run can carry out
    ├── SearcherError          a searcher raised, or suggested a point outside the space
    ├── WorkerError            the workers could not be started, or kept dying
    └── AllTrialsFailed        no trial of the run succeeded; holds the result, and is
                               defined beside it in asha_bus.results.result

Each message says what is wrong, shows the value, and says what to do.
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
    "SchedulerError",
    "SearcherError",
    "WorkerError",
]


class AshaBusError(Exception):
    """The base class of all exceptions that asha-bus raises on purpose.

    Example:
        >>> try:
        ...     space = Space()
        ... except AshaBusError as error:
        ...     print(error)
        the space is empty; give it a parameter, as in Space(lr=uniform(0, 1))
    """


class InvalidArgument(AshaBusError, ValueError):
    """An argument of the public API is wrong; the message names it and the fix.

    It is also a `ValueError`. Nothing was started.

    Example:
        >>> try:
        ...     ASHA(max_resource=0)
        ... except InvalidArgument as error:
        ...     print(error)
        ASHA: max_resource must be a number above 0 and at most 2**53, got 0
    """


class ObjectiveError(AshaBusError):
    """An objective returned, yielded or reported something that is not a metric.

    Only the trial that caused it fails; its error is in ``Result.trials[i].error``. With
    `fmin`, it is raised when ``fn`` raised.
    """


class ProtocolError(AshaBusError):
    """The bus protocol was broken, by this side or by the peer."""


class LocalProtocolError(ProtocolError):
    """This side did something that the protocol does not allow: a bug in asha-bus."""


class RemoteProtocolError(ProtocolError):
    """The peer sent bytes that are not a message of the protocol.

    Args:
        message: What is wrong.
        kind: One of `asha_bus.core.messages.REJECTED_KINDS`, for the counters (default:
            ``malformed``).
        seq: The seq of the broken request, with which it is answered; 0 (default): none.

    Attributes:
        kind: The argument ``kind``.
        seq: The argument ``seq``.
    """

    def __init__(self, message: str, *, kind: str = "malformed", seq: int = 0) -> None:
        super().__init__(message)
        self.kind = kind
        self.seq = seq


class BusError(AshaBusError):
    """The bus could not be started or reached, or it ended before the run did.

    Raised by `launch` and `Run.result`. If the run has a journal, pass ``resume=True`` to
    continue it.
    """


class JournalError(AshaBusError):
    """The journal of a run, or a saved result, cannot be read, written or resumed from.

    Raised by `launch`, `start`, `Result.from_journal` and `Result.load`; it names the file.
    """


class SchedulerError(AshaBusError):
    """A scheduler of yours gave an answer that no run can carry out, such as an unknown verdict.

    It ends the run. `simulate` raises it; `launch` and `Run.result` raise a `BusError` that says
    the same, since schedulers decide in the process of the bus.
    """


class SearcherError(AshaBusError):
    """A searcher raised, suggested a point outside the space, or cannot be sent to its process.

    Raised by `launch` and `Run.result` if that happened before the first trial, also for
    ``stop_trial`` and ``stop_run``; the message has the traceback, if something raised.
    """


class WorkerError(AshaBusError):
    """Workers could not be started, lack a package, or died repeatedly.

    Raised by `launch` and `Run.result`; the message has the output of a worker, if there is any.
    """
