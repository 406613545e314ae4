"""Programs that run with a terminal of their own."""

from __future__ import annotations

import fcntl
import os
import pty
import struct
import subprocess
import sys
import termios
import textwrap
from pathlib import Path

_TESTS = Path(__file__).resolve().parents[1]


def environment() -> dict[str, str]:
    """This process's variables, for a program that imports ``support``."""
    return {**os.environ, "PYTHONPATH": str(_TESTS), "TERM": "xterm"}


def start_program(program: str, folder: Path, out: int) -> subprocess.Popen[bytes]:
    """Start a program of this text, which may import ``support``, with its output in ``out``."""
    path = folder / "program.py"
    path.write_text(textwrap.dedent(program))
    return subprocess.Popen([sys.executable, str(path)], stdout=out, stderr=out, env=environment())


def run_in_terminal(program: str, folder: Path, *, rows: int = 24, columns: int = 120) -> str:
    """What the program writes to a terminal of this size, until it ends."""
    parent, child = pty.openpty()
    try:
        fcntl.ioctl(child, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
        process = start_program(program, folder, child)
    finally:
        os.close(child)
    output = bytearray()
    with process:
        while True:
            try:
                data = os.read(parent, 65_536)
            except OSError:  # the other end is closed
                break
            if not data:
                break
            output += data
    os.close(parent)
    assert process.returncode == 0, output.decode()
    return output.decode()
