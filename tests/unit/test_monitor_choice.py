"""The argument monitor: what is taken, and what it stands for where."""

from __future__ import annotations

import sys
from types import SimpleNamespace
from typing import Any

import pytest
from support.monitors import INFO, Recorder

from asha_bus import Monitor
from asha_bus.core.errors import InvalidArgument
from asha_bus.monitors import choice
from asha_bus.monitors.choice import as_monitors, open_monitors
from asha_bus.monitors.screen import in_notebook

RECORDER = Recorder()


class ZMQInteractiveShell:
    """Is called like the shell of a Jupyter kernel."""


class OtherShell(ZMQInteractiveShell):
    """Builds on it."""


class TerminalInteractiveShell:
    """Is called like the shell of ipython."""


@pytest.mark.parametrize(
    ("shell", "expected"),
    [
        (ZMQInteractiveShell(), True),
        (OtherShell(), True),
        (TerminalInteractiveShell(), False),
        (None, False),
    ],
)
def test_a_notebook_is_known_by_its_shell(
    shell: object, expected: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "IPython", SimpleNamespace(get_ipython=lambda: shell))
    assert expected == in_notebook()


def test_without_ipython_there_is_no_notebook_and_none_is_loaded(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delitem(sys.modules, "IPython", raising=False)
    assert not in_notebook()
    assert "IPython" not in sys.modules


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (None, ()),
        ([], ()),
        ("rungs", ("rungs",)),
        (RECORDER, (RECORDER,)),
        (["progress", RECORDER], ("progress", RECORDER)),
        (("text",), ("text",)),
    ],
)
def test_a_name_a_monitor_or_a_list_is_taken(given: Any, expected: tuple[Any, ...]) -> None:
    assert expected == as_monitors(given)


WHAT = (
    "monitor must be one of 'progress', 'text', 'rungs', 'curves', "
    "a Monitor (subclass ab.Monitor), a list of these, "
)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ("bars", WHAT + "or None, got 'bars'"),
        (["text", 3], WHAT + "or None, got 3"),
        ([None], WHAT + "or None, got None"),
        ([["text"]], WHAT + "or None, got ['text']"),
        (print, WHAT + "or None, got <built-in function print>"),
        (Recorder, WHAT + "or None, got the class Recorder: give Recorder(...)"),
        (["text", "text"], "monitor has 'text' twice; name each monitor once"),
    ],
)
def test_anything_else_is_refused(given: Any, message: str) -> None:
    with pytest.raises(InvalidArgument) as caught:
        as_monitors(given)
    assert message == str(caught.value)


def test_the_same_monitor_twice_is_refused() -> None:
    with pytest.raises(InvalidArgument, match="twice; name each monitor once"):
        as_monitors([RECORDER, RECORDER])


@pytest.mark.parametrize("name", ["rungs", "curves"])
def test_a_chart_in_a_notebook_needs_matplotlib(name: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(choice, "in_notebook", lambda: True)
    monkeypatch.setattr(choice, "find_spec", lambda module: None)
    with pytest.raises(InvalidArgument) as caught:
        as_monitors([RECORDER, name])
    assert str(caught.value) == (
        f"monitor='{name}' draws with matplotlib, which is not installed: "
        f"pip install 'asha-bus[plots]', or use monitor='text'"
    )
    assert ("text",) == as_monitors("text")
    monkeypatch.setattr(choice, "in_notebook", lambda: False)  # a table stands for it there
    assert (name,) == as_monitors(name)


@pytest.mark.parametrize("is_terminal", [True, False])
@pytest.mark.parametrize(
    ("names", "in_terminal", "elsewhere"),
    [
        ([], [], []),
        (["progress"], ["Progress"], ["PlainLines"]),
        (["text"], ["TerminalTable"], ["PlainLines"]),
        (["rungs", "progress", "curves"], ["TerminalTable"], ["RungLines"]),
        (["curves"], ["TerminalTable"], ["PlainLines"]),
    ],
)
def test_outside_a_notebook_one_of_several_names_is_shown(
    names: list[str],
    in_terminal: list[str],
    elsewhere: list[str],
    is_terminal: bool,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(choice, "is_terminal", lambda: is_terminal)
    monkeypatch.setattr(choice, "is_tty", lambda stream: is_terminal)
    opened = open_monitors([*names, RECORDER], INFO)
    expected = in_terminal if is_terminal else elsewhere
    assert ["Recorder", *expected] == [type(monitor).__name__ for monitor in opened]
    assert all(isinstance(monitor, Monitor) for monitor in opened)


def test_a_dumb_terminal_gets_plain_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdout", SimpleNamespace(isatty=lambda: True))
    monkeypatch.setenv("TERM", "dumb")
    (opened,) = open_monitors(["text"], INFO)
    assert "PlainLines" == type(opened).__name__
    monkeypatch.setenv("TERM", "xterm")
    (opened,) = open_monitors(["text"], INFO)
    assert "TerminalTable" == type(opened).__name__


def test_a_misspelt_method_of_a_monitor_is_named(caplog: pytest.LogCaptureFixture) -> None:
    class Mine(Monitor):
        def on_ende(self, trial: Any) -> None: ...

        def on_start(self, run: Any) -> None: ...

        def _on_my_own(self) -> None: ...

    mine = Mine()
    assert (mine,) == as_monitors(mine)
    assert ["Mine.on_ende is never called; did you mean 'on_end'?"] == caplog.messages
