"""The progress line on a terminal, and silence elsewhere."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import struct
import subprocess
import sys
import termios
import textwrap
from pathlib import Path

PROGRAM = """
    import asha_bus as ab
    from support import objectives

    if __name__ == "__main__":
        ab.launch(
            objectives.prints, {"x": ab.uniform(0, 1)}, engine="local", workers=2, max_trials=6,
            name="shown", scheduler=ab.NoStopping(max_resource=50),
        )
"""


def run_program(folder: Path, out: int) -> None:
    """Run the program with its output in ``out``."""
    program = folder / "program.py"
    program.write_text(textwrap.dedent(PROGRAM))
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])}
    subprocess.run(
        [sys.executable, str(program)],
        stdout=out,
        stderr=out,
        env=environment,
        timeout=60,
        check=True,
    )


def test_a_terminal_shows_one_line_and_whole_prints(tmp_path: Path) -> None:
    parent, child = pty.openpty()
    fcntl.ioctl(child, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 120, 0, 0))
    output = bytearray()
    pid = os.fork()
    if pid == 0:
        os.close(parent)
        try:
            run_program(tmp_path, child)
        finally:
            os._exit(0)
    os.close(child)
    while True:
        try:
            data = os.read(parent, 65_536)
        except OSError:  # the other end is closed
            break
        if not data:
            break
        output += data
    os.close(parent)
    os.waitpid(pid, 0)
    text = output.decode()
    assert "6/6" in text
    assert "shown" in text
    assert re.search(r"best: trial \d, metric [01]\.\d+, params \{'x': [01]\.\d+\}", text)
    # every printed line begins at the left margin, after the bar was wiped
    printed = re.findall(r"(?:\r|\n)line \d+ of [01]\.\d{3}\r\n", text)
    assert len(printed) == text.count("line ") == 300


def test_without_a_terminal_only_prints_come_out(tmp_path: Path) -> None:
    path = tmp_path / "out"
    with path.open("wb") as file:
        run_program(tmp_path, file.fileno())
    lines = path.read_text().splitlines()
    assert len(lines) == 300
    assert [line for line in lines if not re.fullmatch(r"line \d+ of [01]\.\d{3}", line)] == []
