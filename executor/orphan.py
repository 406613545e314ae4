"""Has the system end a local worker whose driver is gone, even where native code froze it."""

from __future__ import annotations

import ctypes
import signal
import sys

_PR_SET_PDEATHSIG = 1

#: Sent when the driver ends. Its number is also the time until the end, see below.
_SIGNAL = signal.SIGRTMIN if sys.platform.startswith("linux") else None


def end_with_parent() -> None:
    """Have this process end about 35 s after the thread that started it, on Linux.

    A worker whose driver is gone ends by itself within 5 s. Native code that keeps the
    interpreter's lock prevents that, so this works without the interpreter: the system sends a
    signal, whose handler is `alarm` of the C library. A handler gets the number of its signal,
    which `alarm` takes for seconds; then SIGALRM ends the process, unless the objective has a
    handler of it. A pause of the process or of its driver ends nothing.
    """
    if _SIGNAL is None:
        return
    libc = ctypes.CDLL(None)
    libc.signal.argtypes = (ctypes.c_int, ctypes.c_void_p)
    libc.signal.restype = ctypes.c_void_p
    libc.signal(_SIGNAL, ctypes.cast(libc.alarm, ctypes.c_void_p))
    libc.prctl(_PR_SET_PDEATHSIG, ctypes.c_ulong(_SIGNAL), 0, 0, 0)
