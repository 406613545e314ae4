"""Faults of the journal: cut off, changed, deleted while its run goes on."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from lib.processes import wait_until

import asha_bus as ab
from asha_bus.core.trial import FINAL
from faults.scenarios.launching import Setting, ending, finished, wait_for_workers
from faults.scenarios.outcome import check

_CUTS = 300
_FLIPS = 1_500


def journal_cut(setting: Setting) -> None:
    """A journal cut at each of its last 300 bytes, and 1,500 times with one bit changed."""
    outcome = setting.outcome
    with ending(setting.launch(max_trials=40, pause_s=0.0)) as run:
        whole = finished(run, setting)
    check(outcome, whole, setting.folder, setting.journal)
    data = setting.journal.read_bytes()
    copy = setting.folder / "copy"
    cuts, flips = (_CUTS // 3, _FLIPS // 15) if setting.smoke else (_CUTS, _FLIPS)
    for number in range(1, cuts + 1):
        outcome.faults += 1
        outcome.expect(
            _read(copy, data[:-number], whole), f"a journal without its last {number} bytes is lost"
        )
    refused = 0
    for _ in range(flips):
        outcome.faults += 1
        place, bit = setting.random.randrange(len(data)), setting.random.randrange(8)
        changed = bytearray(data)
        changed[place] ^= 1 << bit
        refused += not _read(copy, bytes(changed), whole)
    outcome.notes.append(f"{refused} of {flips} changed journals were refused")


def _read(copy: Path, data: bytes, whole: ab.Result) -> bool:
    """Whether a journal can be read; Broken if it says anything that the whole one does not."""
    copy.write_bytes(data)
    try:
        found = ab.Result.from_journal(copy)
    except ab.JournalError:
        return False
    for old in found.trials:
        new = whole.trials[old.id]
        same = (old.params, old.seed, old.rungs) == (
            new.params,
            new.seed,
            new.rungs[: len(old.rungs)],
        )
        if old.state in FINAL:
            same = same and (old.state, old.metric) == (new.state, new.metric)
        if not same:
            raise ab.JournalError(f"a broken journal was read, and says {old} for {new}")
    return True


def journal_deleted(setting: Setting) -> None:
    """The journal is deleted in the middle of a run, which says so and completes."""
    outcome = setting.outcome
    with _warnings() as said, ending(setting.launch(max_trials=60)) as run:
        wait_for_workers(setting)
        at = time.monotonic()
        setting.journal.unlink()
        outcome.faults = 1
        wait_until(lambda: any("was deleted or renamed" in text for text in said), "the warning")
        outcome.figures["noticed after"] = time.monotonic() - at
        text = next(text for text in said if "copy the file from " in text)
        copy = setting.folder / "copy"
        copy.write_bytes(Path(text.partition("copy the file from ")[2].split()[0]).read_bytes())
        outcome.expect(bool(ab.Result.from_journal(copy).trials), "the copy has no trials")
        result = finished(run, setting)
    outcome.trials = len(result.trials)
    outcome.expect(outcome.trials == 60, f"{outcome.trials} trials, not 60")


@contextmanager
def _warnings() -> Iterator[list[str]]:
    """What the run logs as a warning meanwhile."""
    said: list[str] = []

    class Listener(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            said.append(record.getMessage())

    logger, listener = logging.getLogger("asha_bus"), Listener()
    level, propagate = logger.level, logger.propagate
    logger.setLevel(logging.WARNING)
    logger.propagate = False
    logger.addHandler(listener)
    try:
        yield said
    finally:
        logger.removeHandler(listener)
        logger.setLevel(level)
        logger.propagate = propagate
