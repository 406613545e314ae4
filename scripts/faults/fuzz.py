"""Throws random and mutated messages at a running bus and looks whether it bears them.

A real run of the local engine goes on meanwhile. This process has the run's key, joins
under changing names, and sends noise, broken msgpack, valid messages with random fields,
mutated ones, and a few that are right for the trials which it was given. In the end the
bus process must be the same and answer, its memory must not have grown, and the run must
complete.

The seed is printed; with it the same messages are sent again, but for the numbers of the
trials that this process was given, which depend on time.
"""

from __future__ import annotations

import argparse
import logging
import os
import random
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import zmq

import asha_bus as ab
from asha_bus.core import messages as m
from asha_bus.core.errors import RemoteProtocolError
from asha_bus.executor.client import connect
from asha_bus.formats import wire
from asha_bus.launching.job import BusAddress
from asha_bus.results.tables import table
from faults.messages import Maker, Voice

#: The bus's memory may be so much larger afterwards: what its allocator keeps, and the
#: records of a few hundred workers and trials.
GROWTH_BYTES = 16 << 20

MAX_TRIALS = 2_000
#: This process may act on at most this many of them.
MAX_FUZZED_TRIALS = 500

#: At most NAMES names at a time; after each EACH_NAME messages, one makes room
#: for another.
NAMES = 16
EACH_NAME = 1_000
#: Answers are fetched after each burst of this many messages.
BURST = 64
PATIENCE_S = 30.0

#: Of the last Ping under each name.
LAST_SEQ = 2**62 + 7


class Patient:
    """The objective: steps of half a second until the file ``done`` is there."""

    def __init__(self, done: Path) -> None:
        self._done = done

    def __call__(self, x: float) -> Iterator[float]:
        """One trial."""
        for step in range(1, 1_000):
            if not self._done.exists():
                time.sleep(0.5)
            yield x + 1 / step


class Peer:
    """A socket to the bus under a name of its own."""

    def __init__(
        self, context: zmq.Context[zmq.Socket[bytes]], address: BusAddress, name: str
    ) -> None:
        self.voice = Voice(name)
        self.socket = connect(context, address, name)
        self.socket.setsockopt(zmq.SNDTIMEO, int(PATIENCE_S * 1_000))
        self.answers = 0
        self._pong = False

    def drain(self) -> None:
        """Take all answers that are there; each must be a message of the protocol."""
        while True:
            try:
                message = wire.decode_to_worker(self.socket.recv(zmq.NOBLOCK))
            except zmq.Again:
                return
            except RemoteProtocolError as error:
                raise SystemExit(f"the bus sent an invalid message: {error}") from error
            self.answers += 1
            if isinstance(message, m.Assign):
                self._hold(message.assignment)
            elif isinstance(message, m.Stop) and message.next is not None:
                self._hold(message.next)
            elif message == m.Pong(LAST_SEQ):
                self._pong = True

    def _hold(self, given: m.Assignment) -> None:
        mine = given.trial < MAX_FUZZED_TRIALS
        self.voice.held = (given.trial, given.attempt) if mine else None

    def leave(self) -> int:
        """Go when the bus has taken all that was sent; how many answers there were."""
        self.socket.send(wire.encode(m.Leave({})))
        deadline = time.monotonic() + PATIENCE_S
        while not self._pong:
            if time.monotonic() > deadline:
                raise SystemExit(f"the bus did not answer a Ping within {PATIENCE_S:g} s")
            self.drain()
            self.socket.send(wire.encode(m.Ping(LAST_SEQ)))
            self.socket.poll(1_000)
            self.drain()
        self.socket.close()
        return self.answers


def fuzz(run: ab.Run, seed: int, messages: int) -> tuple[Counter[str], int]:
    """Send ``messages`` messages; return the number of each kind, and of answers."""
    address = run._supervisor.keys.address(run._follower.plan.settings.run, run.bus_address)
    maker = Maker(seed, address.run)
    sent: Counter[str] = Counter()
    answers = 0
    with zmq.Context() as context:

        def newcomer(number: int) -> Peer:
            # every other one has the name of a heartbeat socket
            suffix = m.HEARTBEAT_SUFFIX if number % 2 else ""
            return Peer(context, address, f"fuzz-{number // 2}{suffix}")

        names = NAMES
        peers = [newcomer(number) for number in range(names)]
        for number in range(messages):
            place = number % NAMES
            kind, body = maker.body(peers[place].voice)
            if maker.happens(0.01):
                peers[place].socket.send(body, zmq.SNDMORE)
                body = b"another frame"
            peers[place].socket.send(body)
            sent[kind] += 1
            if number % BURST == 0:
                for peer in peers:
                    peer.drain()
            if number % EACH_NAME == EACH_NAME - 1:
                place = number // EACH_NAME % NAMES
                answers += peers[place].leave()
                peers[place] = newcomer(names)
                names += 1
        answers += sum(peer.leave() for peer in peers)
    return sent, answers


def resident_bytes(pid: int) -> int:
    """Memory of a process that is in RAM; SystemExit if it is gone."""
    try:
        pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    except (FileNotFoundError, IndexError):
        raise SystemExit(f"the bus process {pid} has ended") from None
    return pages * os.sysconf("SC_PAGE_SIZE")


def wait_for_a_trial(run: ab.Run) -> None:
    """Wait until one has ended well: a run whose first trials all fail is given up."""
    deadline = time.monotonic() + 2 * PATIENCE_S
    while time.monotonic() < deadline:
        states = run.status()["states"]
        if states["STOPPED"] + states["COMPLETED"]:
            return
        time.sleep(0.1)
    raise SystemExit("no trial of the run had ended within a minute")


def end(run: ab.Run) -> None:
    """End the run, if it has not completed; shows what the bus said if it died."""
    run.stop(now=True)
    try:
        run.result(PATIENCE_S)
    except (ab.AshaBusError, TimeoutError) as error:
        print(error)


def check(seed: int, messages: int) -> str:
    """Fuzz a run; a table of what happened. SystemExit where the bus did not bear it."""
    with ExitStack() as stack:
        done = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="asha-bus-"))) / "done"
        run = ab.start(
            Patient(done),
            ab.Space(x=ab.uniform(0, 1)),
            scheduler=ab.ASHA(max_resource=9),
            max_trials=MAX_TRIALS,
            engine="local",
            workers=1,
            seed=seed,
            bus=ab.BusOptions(max_attempts=1_000),
            monitor=None,
        )
        stack.callback(end, run)
        wait_for_a_trial(run)
        before, decisions = resident_bytes(run.bus_pid), run.bus_report().decisions
        started = time.monotonic()
        sent, answers = fuzz(run, seed, messages)
        taken_s = time.monotonic() - started
        after, report = resident_bytes(run.bus_pid), run.bus_report()
        turned_away = run._supervisor.status().bus.rejected
        done.touch()
        result = run.result(timeout=300)
    if after - before > GROWTH_BYTES:
        raise SystemExit(
            f"the bus's memory grew by {(after - before) / 2**20:.1f} MiB, "
            f"more than {GROWTH_BYTES / 2**20:.0f} MiB"
        )
    if (result.reason, len(result.trials)) != ("max_trials", MAX_TRIALS):
        raise SystemExit(f"the run ended as {result.reason!r} with {len(result.trials)} trials")
    rows = [
        ("messages sent", f"{messages:,}"),
        *((f"  {kind}", f"{count:,}") for kind, count in sorted(sent.items())),
        ("messages/s", f"{messages / taken_s:,.0f}"),
        ("answers", f"{answers:,}"),
        *((f"  turned away: {kind}", f"{count:,}") for kind, count in turned_away.items()),
        ("names that joined", f"{report.workers:,}"),
        ("decisions meanwhile", f"{report.decisions - decisions:,}"),
        ("memory before, MiB", f"{before / 2**20:.1f}"),
        ("memory after, MiB", f"{after / 2**20:.1f}"),
        ("allowed growth, MiB", f"{GROWTH_BYTES / 2**20:.0f}"),
        ("trials of the run", ", ".join(f"{n} {s}" for s, n in result.counts.items() if n)),
    ]
    return table(rows)


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--messages", type=int, default=1_000_000, help="default: %(default)s")
    parser.add_argument("--seed", type=int, default=None, help="default: another each time")
    parser.add_argument("--smoke", action="store_true", help="only 20,000 messages")
    given = parser.parse_args()
    messages = 20_000 if given.smoke else given.messages
    seed = random.SystemRandom().getrandbits(31) if given.seed is None else given.seed
    logging.getLogger("asha_bus").setLevel(logging.ERROR)  # objectives also log fuzz
    print(f"to repeat: python scripts faults/fuzz --seed {seed} --messages {messages}", flush=True)
    print(check(seed, messages))
    print("the bus bore it, and the run completed")


if __name__ == "__main__":
    main()
