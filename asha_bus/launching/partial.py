"""The result of a run that had to end while its bus hung: what is known without the bus."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from dataclasses import replace

from asha_bus.core.trial import FINAL, TrialState
from asha_bus.results.result import Result

logger = logging.getLogger("asha_bus")


def partial_result(from_journal: Callable[[], Result], seen: Result, within_s: float) -> Result:
    """What the journal has or, where it cannot be read ``within_s``, what was ``seen`` last.

    The message says that it is partial. Trials that ran are CANCELLED.
    """
    found: list[Result] = []

    def read() -> None:
        try:
            found.append(from_journal())
        except Exception as error:  # its disk may fail in any way
            logger.warning("the journal could not be read: %s", error)

    reader = threading.Thread(target=read, name="asha-bus-partial", daemon=True)
    reader.start()
    reader.join(within_s)
    known = found[0] if found else seen
    source = "what its journal has" if found else "what was seen last, without most trials"
    return Result(
        name=seen.name,
        mode=seen.mode,
        seed=seen.seed,
        space=seen.space,
        trials=[
            trial if trial.state in FINAL else replace(trial, state=TrialState.CANCELLED)
            for trial in known.trials
        ],
        reason="stopped",
        message=f"partial, since the bus did not answer: {source}",
        elapsed_s=max(known.elapsed_s, seen.elapsed_s),
        bus=known.bus,
        settings=seen.settings,
        trial_warnings=known.trial_warnings,
        rungs=known.rungs,
    )
