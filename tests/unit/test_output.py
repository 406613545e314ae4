"""What an objective logs and prints: gathered, bounded, and written as ever."""

from __future__ import annotations

import io
import logging
import os
import sys
import threading
from typing import Any, cast

import pytest
from support.loopback import SPACE, Loopback

import asha_bus as ab
from asha_bus.core import messages as m
from asha_bus.core.schedulers import NoStopping
from asha_bus.executor.client import Client
from asha_bus.executor.interrupt import Interrupter
from asha_bus.executor.output import (
    MAX_LINE_CHARS,
    MAX_WAITING_CHARS,
    SEND_EVERY_S,
    Outbox,
    Recorder,
)
from asha_bus.executor.runner import Runner
from asha_bus.formats import wire
from asha_bus.testing.simulator import Bench


def info(text: str, trial: int = 0) -> m.Log:
    return m.Log(trial, 1, "info", text)


def output(text: str, trial: int = 0) -> m.Log:
    return m.Log(trial, 1, "output", text)


# --- the outbox --------------------------------------------------------------


def test_lines_leave_at_once_and_then_now_and_then() -> None:
    outbox = Outbox()
    outbox.put(info("first"))
    assert [info("first")] == outbox.take(100.0)
    outbox.put(info("second"))
    assert [] == outbox.take(100.0 + SEND_EVERY_S / 2)
    assert [info("second")] == outbox.take(100.0 + SEND_EVERY_S)
    outbox.put(info("third"))
    assert [info("third")] == outbox.take()  # now
    assert [] == outbox.take()


def test_printed_lines_of_a_trial_share_a_message_and_logged_ones_do_not() -> None:
    outbox = Outbox()
    logs = [output("a"), output("b"), info("c"), info("d"), output("e"), output("f", trial=1)]
    for log in logs:
        outbox.put(log)
    assert [output("a\nb"), info("c"), info("d"), output("e"), output("f", 1)] == outbox.take()


def test_the_oldest_lines_are_left_out_if_too_many_wait() -> None:
    outbox = Outbox()
    for number in range(100_000):
        outbox.put(output(f"line {number}"))
    (sent,) = outbox.take()
    notice, *lines = sent.text.split("\n")
    assert f"... {100_000 - len(lines)} lines left out: too many at once ..." == notice
    assert "line 99999" == lines[-1]
    assert 0 < len(sent.text) - len(notice) <= MAX_WAITING_CHARS
    assert sent == wire.decode_from_worker(wire.encode(sent))


def test_logged_lines_are_few_messages_at_a_time() -> None:
    outbox = Outbox()
    for number in range(10_000):
        outbox.put(info(f"line {number}"))
    assert 100 < len(outbox.take()) < 300


def test_a_single_line_is_always_sent() -> None:
    outbox = Outbox()
    outbox.put(info("x" * (MAX_WAITING_CHARS + 1)))
    assert 1 == len(outbox.take())


# --- the recorder ------------------------------------------------------------


class Recording:
    """A recorder on streams that can be read, with an attempt under way."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *, captures: bool = True) -> None:
        self.out, self.err = io.StringIO(), io.StringIO()
        monkeypatch.setattr(sys, "stdout", self.out)
        monkeypatch.setattr(sys, "stderr", self.err)
        self.outbox = Outbox()
        self.recorder = Recorder(self.outbox if captures else None)

    def __enter__(self) -> Recording:
        self.recorder.__enter__()
        self.recorder.begin(3, 1)
        return self

    def __exit__(self, *error: Any) -> None:
        self.recorder.__exit__(None, None, None)

    def kept(self) -> str:
        logs = self.outbox.take()
        assert {(3, 1, "output")} >= {log[:3] for log in logs}
        return "\n".join(log.text for log in logs)


def test_printed_lines_are_kept_and_also_written(monkeypatch: pytest.MonkeyPatch) -> None:
    with Recording(monkeypatch) as recording:
        print("hello", 5)
        print("oops", file=sys.stderr)
        print("half", end="")
        assert "trial 3: hello 5\n" == recording.out.getvalue()
        assert "trial 3: oops\n" == recording.err.getvalue()
        assert "hello 5\noops" == recording.kept()
        print(" a line")
        assert "half a line" == recording.kept()
    assert sys.stdout is recording.out
    assert sys.stderr is recording.err


def test_a_line_without_an_end_ends_with_the_attempt(monkeypatch: pytest.MonkeyPatch) -> None:
    with Recording(monkeypatch) as recording:
        print("half", end="")
        recording.recorder.end()
        assert "half" == recording.kept()
        print("nobody's")
        assert "" == recording.kept()
        assert "trial 3: half\nnobody's\n" == recording.out.getvalue()


@pytest.mark.parametrize("captures", [True, False])
def test_lines_are_written_whole_with_their_trial(
    monkeypatch: pytest.MonkeyPatch, captures: bool
) -> None:
    with Recording(monkeypatch, captures=captures) as recording:
        print("one\ntwo", end="")
        assert "trial 3: one\n" == recording.out.getvalue()
        print("", 2)
        assert "trial 3: one\ntrial 3: two 2\n" == recording.out.getvalue()
        assert ("one\ntwo 2" if captures else "") == recording.kept()
        recording.recorder.end()
        print("not of a trial")
        assert recording.out.getvalue().endswith("two 2\nnot of a trial\n")


@pytest.mark.parametrize(
    ("pieces", "kept"),
    [
        (["\r1/3", "\r2/3", "\r3/3", "\n"], "3/3"),
        (["1/3\r", "2/3\r", "3/3\r", "\n"], "3/3"),
        (["one\r\ntwo\r", "\n"], "one\ntwo"),
        (["\n\n"], "\n"),
    ],
)
def test_a_progress_bar_leaves_its_last_state(
    monkeypatch: pytest.MonkeyPatch, pieces: list[str], kept: str
) -> None:
    with Recording(monkeypatch) as recording:
        for piece in pieces:
            sys.stdout.write(piece)
        assert kept == recording.kept()
        lines = "".join(f"trial 3: {line}\n" for line in kept.split("\n"))
        assert lines == recording.out.getvalue()


def test_a_line_that_never_ends_fills_no_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    with Recording(monkeypatch) as recording:
        for _ in range(1_000):
            sys.stdout.write("x" * 100)
            assert len(cast(Any, sys.stdout)._line) <= MAX_LINE_CHARS
        sys.stdout.write("y" * 10_000_000)
        assert len(recording.kept()) <= MAX_WAITING_CHARS + 100


def test_a_logging_handler_made_in_one_trial_serves_the_next(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with Recording(monkeypatch) as recording:
        handler = logging.StreamHandler()  # takes sys.stderr
        handler.emit(logging.makeLogRecord({"msg": "first"}))
        assert "first" == recording.kept()
        recording.recorder.end()
        recording.recorder.begin(4, 1)
        handler.emit(logging.makeLogRecord({"msg": "second"}))
        assert [m.Log(4, 1, "output", "second")] == recording.outbox.take()
    handler.emit(logging.makeLogRecord({"msg": "third"}))
    assert "trial 3: first\ntrial 4: second\nthird\n" == recording.err.getvalue()


def test_the_capture_stream_has_the_interface_of_stdout(monkeypatch: pytest.MonkeyPatch) -> None:
    with Recording(monkeypatch) as recording:
        sys.stdout.writelines(["a\n", "b\n"])
        sys.stdout.flush()
        assert not sys.stdout.isatty()
        assert recording.out.encoding == sys.stdout.encoding
        with pytest.raises(io.UnsupportedOperation):
            sys.stdout.fileno()
        assert "a\nb" == recording.kept()


def test_all_threads_of_the_objective_are_heard(monkeypatch: pytest.MonkeyPatch) -> None:
    with Recording(monkeypatch) as recording:
        threads = [threading.Thread(target=print, args=("from a thread\n" * 50,)) for _ in "abcd"]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
        assert 200 == recording.kept().count("from a thread")


def test_a_forked_child_only_writes(monkeypatch: pytest.MonkeyPatch) -> None:
    with Recording(monkeypatch) as recording:
        parent = os.getpid()
        monkeypatch.setattr(os, "getpid", lambda: parent + 1)
        print("from the child")
        monkeypatch.undo()
        assert "" == recording.kept()
        assert "from the child\n" == recording.out.getvalue()


# --- in the runner -----------------------------------------------------------


def test_each_trial_gets_its_own_lines(capsys: pytest.CaptureFixture[str]) -> None:
    bench = Bench(scheduler=NoStopping(), max_trials=3)
    client = Loopback(bench)

    def objective(trial: ab.Trial) -> None:
        print("before", trial.id)
        trial.log(f"logged {trial.id}")
        trial.report(0.5, resource=2)
        trial.report(0.4, resource=2)
        print("after", trial.id)
        if trial.id == 1:
            raise ValueError("no luck")

    with Recorder(client.outbox) as recorder:
        Runner(cast(Client, client), Interrupter(), objective, SPACE, recorder).run()
        print("between trials")
    warning = "warning: resource 2 was reported again; the first report counts"
    for number in range(3):
        expected = f"before {number}\nlogged {number}\n{warning}\nafter {number}\n"
        assert expected == str(bench.trial(number).log)
    printed = capsys.readouterr().out.splitlines()
    expected_lines = [f"trial {n}: {when} {n}" for n in range(3) for when in ("before", "after")]
    assert [*expected_lines, "between trials"] == printed


def test_a_trial_that_replaces_the_streams_leaves_the_next_one_its_own(
    capsys: pytest.CaptureFixture[str],
) -> None:
    def objective(x: float) -> float:
        print(f"x is {x:g}")
        sys.stdout = io.StringIO()
        sys.stdout.close()
        return x

    with Recorder(None) as recorder:
        client = cast(Client, Loopback(Bench(max_trials=2)))
        Runner(client, Interrupter(), objective, SPACE, recorder).run()
    assert ["trial 0: x is 0", "trial 1: x is 1"] == capsys.readouterr().out.splitlines()


def test_a_dry_run_leaves_the_streams_alone() -> None:
    bench = Bench(max_trials=1)
    streams = []

    def objective(x: float) -> float:
        streams.append(sys.stdout)
        print("not kept")
        return x

    Runner(cast(Client, Loopback(bench)), Interrupter(), objective, SPACE).run()
    assert [sys.stdout] == streams
    assert None is bench.trial(0).log
