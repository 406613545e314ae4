"""Messages for ``faults/fuzz.py``: noise, broken ones, lies, and some that are right."""

from __future__ import annotations

import math
import random
from collections.abc import Callable
from typing import Any

import msgpack

from asha_bus.core import messages as m
from asha_bus.formats import wire

MOST = 2**63 - 1
NUMBERS = (0, 1, -1, 3, 9, 0.5, 1e-300, 1e300, math.nan, math.inf, -math.inf, MOST, 2**64 - 1)
COUNTS = (0, 1, 2, 3, 9, 81, 2**31, 2**32, MOST)
TEXTS = ("", "x", "a name", "0.1", "\0", "\U0001f989" * 256, "fuzz-1", "fuzz-1/b")
HEADERS = (0x90, 0x9F, 0xC0, 0xC4, 0xC6, 0xC7, 0xC9, 0xCB, 0xCF, 0xD9, 0xDB, 0xDC, 0xDD, 0xDE, 0xDF)


class Voice:
    """A name on the bus: what it needs to know to say something sensible."""

    def __init__(self, name: str) -> None:
        self.name = name
        #: Trial and attempt that it was given last.
        self.held: tuple[int, int] | None = None
        self._seq = 0

    def next_seq(self) -> int:
        """The seq of its next request."""
        self._seq += 1
        return self._seq


class Maker:
    """Makes messages that are wrong in many ways, and some that are right."""

    def __init__(self, seed: int, run: str) -> None:
        self._random = random.Random(seed)
        self._run = run
        self._makers: tuple[tuple[str, int, Callable[[Voice], bytes]], ...] = (
            ("noise", 10, self._noise),
            ("structures", 8, self._structure),
            ("headers", 5, self._headers),
            ("wrong fields", 20, self._wrong_field),
            ("mutated bytes", 27, self._mutated),
            ("valid", 30, lambda voice: wire.encode(self._message(voice))),
        )
        self._weights = [weight for _, weight, _ in self._makers]

    def body(self, voice: Voice) -> tuple[str, bytes]:
        """A kind, and what to send under the name of ``voice``."""
        [(kind, _, make)] = self._random.choices(self._makers, self._weights)
        return kind, make(voice)

    def happens(self, share: float) -> bool:
        """Whether something happens that does so in this share of cases."""
        return self._random.random() < share

    def _noise(self, voice: Voice) -> bytes:
        return self._random.randbytes(int(self._random.expovariate(1 / 40)))

    def _structure(self, voice: Voice) -> bytes:
        packed: bytes = msgpack.packb(self._value(3))
        return packed

    def _headers(self, voice: Voice) -> bytes:
        claims = (
            bytes((self._random.choice(HEADERS),)) + self._random.choice((b"\xff", b"\0\x7f")) * 4
            for _ in range(self._random.randint(1, 9))
        )
        return b"\x9a\x01" + b"".join(claims)

    def _wrong_field(self, voice: Voice) -> bytes:
        items = list(self._items(voice))
        items[self._random.randrange(len(items))] = self._value(2)
        packed: bytes = msgpack.packb(items)
        return packed

    def _mutated(self, voice: Voice) -> bytes:
        body = bytearray(msgpack.packb(self._items(voice)))
        for _ in range(self._random.randint(1, 3)):
            position = self._random.randrange(len(body) + 1)
            way = self._random.randrange(8)
            if way > 2:
                body[position : position + 1] = self._random.randbytes(1)
            elif way == 1:
                body[position:position] = self._random.randbytes(3)
            elif way == 0:
                body[position:position] = body[position : position + 8]
            else:
                del body[position : position + self._random.randint(1, 4)]
        return bytes(body)

    def _items(self, voice: Voice) -> tuple[Any, ...]:
        """A valid message as what is packed."""
        message = self._message(voice)
        return (m.PROTOCOL_VERSION, wire.CODES[type(message)], *message)

    def _value(self, depth: int) -> Any:
        """Anything that msgpack can hold."""
        pick = self._random.randrange(7 if depth else 4)
        if pick == 0:
            return self._random.choice(NUMBERS)
        if pick == 1:
            return self._random.choice(TEXTS)
        if pick == 2:
            return self._random.choice((None, True, False, b"", b"bytes", msgpack.ExtType(5, b"x")))
        if pick == 3:
            return self._random.getrandbits(self._random.randint(1, 64))
        several = range(self._random.randrange(5))
        if pick == 4:
            return {self._random.choice(TEXTS): self._value(depth - 1) for _ in several}
        return [self._value(depth - 1) for _ in several]

    def _message(self, voice: Voice) -> m.FromWorker:
        """A message as the protocol allows it, be it sensible or not."""
        pick, choose = self._random, self._random.choice
        seq = voice.next_seq() if self.happens(0.95) else choose(COUNTS[1:])
        about = (choose(COUNTS), choose(COUNTS[1:]))
        if voice.held and self.happens(0.2):
            about = voice.held
        metric, best = choose(NUMBERS), choose((*NUMBERS, None))
        resource, idle_s = choose((1, 3, 9, 0.5, 1e300, 2**64 - 1)), choose((0, 0.5, 2**64 - 1))
        extra = {choose(TEXTS[1:]): choose((1.5, "x", None, True, MOST))}
        extras = extra if self.happens(0.2) else {}
        latency = {choose((0, 1, 95, 385)): choose(COUNTS) for _ in range(pick.randrange(4))}
        kind = pick.randrange(10)
        if kind == 0:
            run = self._run if self.happens(0.5) else choose(TEXTS[1:])
            return m.Hello(seq, run, choose((voice.name, *TEXTS[1:])), choose(TEXTS[1:]), 1)
        if kind == 1:
            return m.Next(seq, idle_s)
        if kind == 2:
            return m.Report(seq, *about, resource, metric, best, extras, idle_s)
        if kind == 3:
            outcome = choose(("completed", "failed", "interrupted"))
            error = choose((None, "an error", "long " * 1_000))
            return m.End(seq, *about, resource, metric, best, extras, outcome, error, idle_s)
        if kind == 4:
            return m.Ping(seq)
        if kind == 5:
            reports = tuple((1 + step, choose(NUMBERS)) for step in range(pick.randrange(5)))
            if pick.randrange(2):
                return m.Telemetry(*about, best, reports)
            values = tuple(choose((None, *NUMBERS)) for _ in range(pick.randrange(6)))
            return m.Reports(*about, best, 1 + seq, reports, {"lr": values})
        if kind == 6:
            return m.Log(*about, choose(("info", "warning")), choose(TEXTS))
        if kind == 7:
            return m.Saved(seq, about[0], choose(COUNTS))
        return m.Heartbeat(latency) if kind == 8 else m.Leave(latency)
