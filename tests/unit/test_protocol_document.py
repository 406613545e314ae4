"""docs/protocol.md is the specification: it and the code must say the same."""

from __future__ import annotations

import json
import re
from collections import deque
from typing import Any, get_args

import pytest
from generate import wire_vectors
from generate.wire_vectors import Vector, parse_message

from asha_bus.core import messages as m
from asha_bus.core.events import (
    Effect,
    Event,
    Received,
    RequestSuggestions,
    RunSettings,
    Send,
    Suggested,
)
from asha_bus.core.experiment import Experiment
from asha_bus.core.latency import BOUNDS_S, BUCKETS
from asha_bus.core.schedulers import ASHA, Scheduler, SuccessiveHalving
from asha_bus.formats import wire

DOCUMENT = wire_vectors.DOCUMENT.read_text(encoding="utf-8")
VECTORS = list(wire_vectors.vectors(DOCUMENT))

#: What one_of(...) may be given, of all that the document lists anywhere.
WORDS = frozenset(re.findall(r"`(\w+)`", DOCUMENT))


def decode(vector: Vector) -> m.Message:
    from_worker = vector.to_plain()["sender"] == "worker"
    return (wire.decode_from_worker if from_worker else wire.decode_to_worker)(vector.body)


def sections() -> list[tuple[int, str, list[list[str]]]]:
    """Number, name and the rows (field, type, meaning) of each message in the document."""
    found = []
    for part in DOCUMENT.split("\n#### ")[1:]:
        number, name = part.partition("\n")[0].split()
        table = part.partition("| field |")[2].partition("\n\n")[0]
        rows = [re.split(r" *\| *", line.strip("| ")) for line in table.splitlines()[2:]]
        found.append((int(number), name, rows))
    return found


@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: type(vector.message).__name__)
def test_a_vector_is_its_message_in_both_directions(vector: Vector) -> None:
    assert repr(vector.message) == repr(decode(vector))  # NaN is equal to itself in a repr
    assert vector.body == wire.encode(decode(vector))
    assert vector.body == wire.encode(vector.message)


def test_no_vector_is_overlooked() -> None:
    assert DOCUMENT.count("```vector") == len(VECTORS)


def test_each_message_has_a_vector() -> None:
    assert {cls for _, cls, _ in wire.TABLE} == {type(vector.message) for vector in VECTORS}


def test_a_changed_vector_is_noticed() -> None:
    changed = DOCUMENT.replace("Pong(seq=0)\n93014700", "Pong(seq=0)\n93014701")
    assert changed != DOCUMENT
    assert 1 == sum(wire.encode(v.message) != v.body for v in wire_vectors.vectors(changed))


def test_numbers_names_and_fields_are_those_of_the_code() -> None:
    expected = [(number, cls.__name__, list(cls._fields)) for number, cls, _ in wire.TABLE]
    assert expected == [
        (number, name, [row[0] for row in rows]) for number, name, rows in sections()
    ]


def test_types_are_those_of_the_code() -> None:
    for (_, cls, checks), (_, _, rows) in zip(wire.TABLE, sections(), strict=True):
        for field, check, row in zip(cls._fields, checks, rows, strict=True):
            words = row[1].removeprefix("one of ")
            if words == row[1]:
                expected = check.__name__.removeprefix("is_").strip("_").replace("_", " ")
                assert expected == words, (cls, field)
            else:
                assert {word for word in WORDS if check(word)} == set(
                    words.replace("`", "").split(", ")
                ), (cls, field)


def test_directions_are_those_of_the_code() -> None:
    for heading, directions in (("### From a worker", {True}), ("### From the bus", {False})):
        parts = [part for part in DOCUMENT.split("\n### ") if f"### {part}".startswith(heading)]
        names = re.findall(r"^#### \d+ (\w+)$", "\n".join(parts), re.MULTILINE)
        assert directions == {getattr(m, name) in get_args(m.FromWorker) for name in names}


def test_limits_are_those_of_the_code() -> None:
    for words in (
        f"version {m.PROTOCOL_VERSION}",
        f"{wire.MAX_BODY_BYTES:,} bytes",
        f"str of 1 to {wire.MAX_NAME_CHARS} characters",
        f"str of at most {wire.MAX_TEXT_CHARS:,} characters",
        f"str of at most {wire.MAX_EXTRA_CHARS:,} characters",
        f"map of at most {wire.MAX_EXTRAS} entries",
        f"at most {wire.MAX_REPORTS:,} arrays",
        f"at most {wire.MAX_POINT:,} numbers",
        f"an int of 0 to {BUCKETS - 1}",
        f"for k from 0 to {len(BOUNDS_S) - 1}",
        f"followed by `{m.HEARTBEAT_SUFFIX}`",
    ):
        assert words in DOCUMENT.replace("\n", " "), words


def test_the_buckets_are_as_described() -> None:
    assert BOUNDS_S[95] == pytest.approx(2 ** (95 / 16 - 20))


def test_the_data_for_other_languages_is_up_to_date() -> None:
    assert 0 == wire_vectors.main(["--check"]), "run python scripts generate/wire_vectors"
    listed = json.loads(wire_vectors.DATA.read_text(encoding="utf-8"))
    assert [vector.body.hex() for vector in VECTORS] == [entry["hex"] for entry in listed]


DIALOGUES = [part.partition("```")[0] for part in DOCUMENT.split("```dialogue\n")[1:]]


@pytest.mark.parametrize(
    ("dialogue", "scheduler"),
    list(zip(DIALOGUES, (ASHA(max_resource=9), SuccessiveHalving([(1, 1), (2, 1)])), strict=True)),
    ids=("ASHA", "SuccessiveHalving"),
)
def test_an_example_is_what_the_bus_answers(dialogue: str, scheduler: Scheduler) -> None:
    """Plays the worker's lines to an `Experiment`; draws are delivered when it waits for them."""
    name, run = "spark-3.0.17", "9f86d081884c7d65"
    points = iter(((0.5, 0), (0.25, 1), (0.75, 0)))
    settings = RunSettings(run=run, scheduler=scheduler, seed=1, max_trials=3)
    draws: list[RequestSuggestions] = []
    answers: deque[Any] = deque()

    def carry_out(effect: Effect) -> None:
        if isinstance(effect, RequestSuggestions):
            draws.append(effect)
        elif isinstance(effect, Send):
            answers.append(effect.message)

    experiment = Experiment(settings, 0.0, carry_out)

    def handle(event: Event) -> None:
        experiment.handle(event, 1.0)

    experiment.start()
    for line in dialogue.splitlines():
        if line.startswith(">"):
            assert not answers, f"said, but not in the document: {answers}"
            message = parse_message(line[1:])
            on_heartbeat = isinstance(message, m.Heartbeat)
            handle(Received(name + m.HEARTBEAT_SUFFIX if on_heartbeat else name, message))
        elif line.startswith("<"):
            if not answers:
                draw = draws.pop()
                handle(Suggested(draw.first, tuple(next(points) for _ in range(draw.number))))
            assert parse_message(line[1:]) == answers.popleft()
        else:
            assert line.startswith("# ")
    assert not answers
    assert experiment.ended is not None
    assert 0 == experiment.roster.active
    assert len(dialogue.splitlines()) > 15
