"""The programs of docs/frameworks.md."""

from __future__ import annotations

import re
from pathlib import Path

from support.documented_programs import programs_in, run_program, text_of

#: The blocks of Python by the heading above them, each a program of its own.
PROGRAMS = {
    section.partition("\n")[0]: programs_in(section)
    for section in re.split(r"^## ", text_of("frameworks.md"), flags=re.M)[1:]
}


#: The headings whose frameworks tests/frameworks needs.
HEAVY = ("Keras", "PyTorch", "Lightning", "Transformers")


#: Of six trials, three are paused after two units and do not continue, and two after five.
PAUSES = "ab.SuccessiveHalving([(2, 3), (3, 1), (4, 1)], n=6)"


def programs(*headings: str) -> list[tuple[str, int]]:
    """The programs below ``headings``: each heading, and a number below it."""
    return [(heading, n) for heading in headings for n in range(len(PROGRAMS[heading]))]


def printed_by(heading: str, number: int, folder: Path, scheduler: str | None = None) -> list[str]:
    """The lines that a program prints where it succeeds, with another ``scheduler`` if given."""
    program = PROGRAMS[heading][number]
    if scheduler is not None:
        program, times = re.subn(r"scheduler=ab\.ASHA\(.*\),", f"scheduler={scheduler},", program)
        assert 1 == times
        program = re.sub(r"max_trials=.*,", "", program)
    return run_program(folder, program)
