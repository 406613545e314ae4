"""Log records make room for themselves where a monitor draws."""

from __future__ import annotations

import io
import logging
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from asha_bus.monitors import logs


class Tty(io.StringIO):
    """A stream that says that it is a terminal."""

    def isatty(self) -> bool:
        return True


@pytest.fixture
def logger(monkeypatch: pytest.MonkeyPatch) -> Iterator[logging.Logger]:
    monkeypatch.setattr(logs, "_drawn", [])  # another test may have left its drawing
    monkeypatch.setattr(logs, "_handlers", set())
    made = logging.Logger.manager.getLogger("a-users-own")
    made.propagate, made.disabled = False, False
    yield made
    made.handlers.clear()


def test_only_records_for_a_terminal_are_written_aside(logger: logging.Logger) -> None:
    terminal, file = Tty(), io.StringIO()
    early, late = logging.StreamHandler(terminal), logging.StreamHandler(terminal)
    logger.addHandler(early)
    logger.addHandler(logging.StreamHandler(file))

    @contextmanager
    def aside() -> Iterator[None]:
        terminal.write("<")
        yield
        terminal.write(">")

    logs.make_room(aside)
    logs.make_room(aside)
    logger.warning("one")
    logger.removeHandler(early)
    logger.addHandler(late)
    logs.make_room(aside)
    logger.warning("two")
    logs.leave(aside)
    logger.warning("three")
    assert "<one\n><two\n>three\n" == terminal.getvalue()
    assert "one\ntwo\nthree\n" == file.getvalue()
    assert "emit" not in vars(late)


def test_the_last_to_leave_gives_the_handlers_back(logger: logging.Logger) -> None:
    handler = logging.StreamHandler(Tty())
    logger.addHandler(handler)
    entered: list[str] = []

    def drawing(name: str) -> logs.Aside:
        @contextmanager
        def aside() -> Iterator[None]:
            entered.append(name)
            yield

        return aside

    first, second = drawing("first"), drawing("second")
    logs.make_room(first)
    logs.make_room(second)
    logger.warning("both")
    logs.leave(first)
    logger.warning("one")
    logs.leave(second)
    logs.leave(second)
    logger.warning("none")
    assert ["first", "second", "second"] == entered
    assert "emit" not in vars(handler)
