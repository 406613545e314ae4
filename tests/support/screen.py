"""A terminal's screen, as far as a table that is drawn in place needs one."""

from __future__ import annotations

import re

_PIECES = re.compile(r"\x1b\[(\d*)([A-Za-z])|[\r\n]|[^\x1b\r\n]")


class Screen:
    """Takes what is written to a terminal; ``lines`` is what a user can scroll through.

    The cursor goes where line feeds, carriage returns and ``ESC [ n A`` send it;
    ``ESC [ K`` erases the rest of its line, ``ESC [ J`` also all that follows it, and
    from the first column of the first row on it keeps a copy, as tmux does. A line feed
    also goes to the left margin. Anything else that begins with ESC is an error.
    """

    def __init__(self, rows: int, columns: int) -> None:
        self.rows, self.columns = rows, columns
        self.lines = [""]
        self._row = self._column = 0
        #: The row of `lines` that is at the top of the screen.
        self.top = 0

    def feed(self, text: str) -> None:
        """Write ``text``."""
        end = 0
        for piece in _PIECES.finditer(text):
            assert piece.start() == end, f"what is {text[end : piece.start()]!r}?"
            end = piece.end()
            self._take(piece)
        assert end == len(text), f"what is {text[end:]!r}?"

    def _take(self, piece: re.Match[str]) -> None:
        if piece[0] == "\r":
            self._column = 0
        elif piece[0] == "\n":
            self._column = 0
            self._down()
        elif piece[2] in ("J", "K"):
            assert not piece[1]
            if piece[2] == "J" and (self._row, self._column) == (self.top, 0):
                self._row = self.top = len(self.lines)
                self.lines.append("")
            self.lines[self._row] = self.lines[self._row][: self._column]
            if piece[2] == "J":
                del self.lines[self._row + 1 :]
        elif piece[2] == "A":
            self._row = max(self._row - int(piece[1] or 1), self.top)
        else:
            assert piece[2] is None, f"unknown sequence {piece[0]!r}"
            self._put(piece[0])

    def _put(self, character: str) -> None:
        if self._column == self.columns:
            self._column = 0
            self._down()
        line = self.lines[self._row].ljust(self._column)
        self.lines[self._row] = line[: self._column] + character + line[self._column + 1 :]
        self._column += 1

    def _down(self) -> None:
        self._row += 1
        if self._row == len(self.lines):
            self.lines.append("")
        self.top = max(self.top, self._row - self.rows + 1)
