"""A small server of the live page: it sends what a test tells it to."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from asha_bus.page.html import page_html, to_json


class LivePage:
    """Serves the page, its events and explanations on loopback, in a thread of its own.

    ``greeting``: the events that whoever connects gets first.
    """

    def __init__(self) -> None:
        self.greeting: list[tuple[str, Any]] = []
        self.explained: dict[int, str] = {}
        self.connections = 0
        #: So many requests for events are refused with an error.
        self.refusals = 0
        self.url = ""
        self._streams: list[Any] = []
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def send(self, name: str, data: Any) -> None:
        """Send an event to all who listen."""
        self._loop.call_soon_threadsafe(self._send, name, data)

    def drop(self) -> None:
        """End all connections, as a server that dies."""
        self._loop.call_soon_threadsafe(self._drop)

    def start(self) -> None:
        """Listen; `url` is the page's address then."""
        self._thread.start()
        assert self._ready.wait(10)

    def close(self) -> None:
        """End all connections and the thread."""
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(10)
        assert not self._thread.is_alive()

    # --- in the thread ---------------------------------------------------------

    def _run(self) -> None:
        asyncio.run(self._serve())

    async def _serve(self) -> None:
        from tornado.httpserver import HTTPServer
        from tornado.netutil import bind_sockets
        from tornado.web import Application, RequestHandler

        live = self

        class Page(RequestHandler):
            def get(self) -> None:
                self.write(page_html("live"))

        class Events(RequestHandler):
            over = asyncio.Event()

            async def get(self) -> None:
                live.connections += 1
                if live.refusals > 0:
                    live.refusals -= 1
                    self.send_error(503)
                    return
                self.set_header("Content-Type", "text/event-stream")
                self.over = asyncio.Event()
                self.write("retry: 100\n\n")
                live._streams.append(self)
                for name, data in live.greeting:
                    self.write(f"event: {name}\ndata: {to_json(data)}\n\n")
                await self.flush()
                await self.over.wait()

            def on_connection_close(self) -> None:
                self.over.set()
                if self in live._streams:
                    live._streams.remove(self)

        class Explain(RequestHandler):
            def get(self, number: str) -> None:
                self.write(live.explained[int(number)])

        self._loop = asyncio.get_running_loop()
        self._stop = asyncio.Event()
        routes = [("/", Page), ("/events", Events), (r"/explain/(\d+)", Explain)]
        server = HTTPServer(Application(routes))
        sockets = bind_sockets(0, "127.0.0.1")
        server.add_sockets(sockets)
        self.url = f"http://127.0.0.1:{sockets[0].getsockname()[1]}/"
        self._ready.set()
        await self._stop.wait()
        self._drop()
        server.stop()
        await server.close_all_connections()

    def _send(self, name: str, data: Any) -> None:
        for stream in self._streams:
            stream.write(f"event: {name}\ndata: {to_json(data)}\n\n")
            stream.flush()

    def _drop(self) -> None:
        while self._streams:
            self._streams.pop().over.set()


@contextmanager
def live_page() -> Iterator[LivePage]:
    """A server that listens as long as the block runs."""
    live = LivePage()
    live.start()
    try:
        yield live
    finally:
        live.close()
