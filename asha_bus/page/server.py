"""The live page's server: serves the page, and sends changes as server-sent events."""

from __future__ import annotations

import asyncio
import logging
import socket
import threading
from collections.abc import Callable
from typing import Any

from asha_bus.core.errors import InvalidArgument
from asha_bus.formats.strict_json import to_json
from asha_bus.page.hosts import is_own_name
from asha_bus.page.html import page_html

try:
    from tornado.httpserver import HTTPServer
    from tornado.iostream import StreamClosedError
    from tornado.web import Application, HTTPError, RequestHandler
except ImportError as error:
    raise ModuleNotFoundError(
        "the live page needs tornado, which is not installed: pip install 'asha-bus[page]'",
        name="tornado",
    ) from error

logger = logging.getLogger("asha_bus")

#: The page is only for browsers of this machine; see `is_own_name`.
HOST = "127.0.0.1"

#: Without changes, browsers get a comment at this interval, which finds closed connections.
_SILENCE_S = 15.0
_NOT_YET_S = 0.2
#: A connection on which no whole request arrives for so long is closed.
_IDLE_S = 60.0
_MOST_BYTES = 65_536
_CLOSE_TIMEOUT_S = 5.0


class PageServer:
    """Serves the page of one run on loopback, in its own thread.

    ``document`` returns the run's current document, or None before the run has begun.
    ``explain`` returns the explanation of a trial, or None if it does not exist. Both are
    called in the server's thread. ``port``: 0 picks a free one. Raises `InvalidArgument` if
    the port is in use.
    """

    def __init__(
        self,
        name: str,
        document: Callable[[], dict[str, Any] | None],
        explain: Callable[[int], str | None],
        *,
        port: int = 0,
    ) -> None:
        try:
            listener = socket.create_server((HOST, port), backlog=100)
        except OSError as error:
            raise InvalidArgument(
                f"page={port}: cannot listen at {HOST}:{port}: {error.strerror}. Pass a free "
                f"port, or True for any free port"
            ) from error
        listener.setblocking(False)
        self._listener = listener
        self.port: int = listener.getsockname()[1]
        self.url = f"http://{HOST}:{self.port}/"
        self._document, self._explain = document, explain
        self._name = name
        self._browsers: set[_Browser] = set()
        self._end: dict[str, Any] | None = None
        self._is_closed = False
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(
            target=self._serve, name=f"asha-bus-page-{name}", daemon=True
        )
        self._thread.start()

    def publish(self, trials: dict[int, list[Any]], summary: dict[str, Any]) -> None:
        """Send changed trials (documents by number) and the summary to all browsers."""
        self._schedule(lambda: self._send(trials, summary))

    def end(self, trials: dict[int, list[Any]], summary: dict[str, Any]) -> None:
        """Like `publish`, at the end of the run; the page can still be opened."""

        def send() -> None:
            self._end = summary
            self._send(trials, summary)

        self._schedule(send)

    @property
    def has_browsers(self) -> bool:
        """Whether the page is open in a browser."""
        return bool(self._browsers)

    def close(self) -> None:
        """Stop serving."""
        self._schedule(self._loop.stop)
        self._thread.join(_CLOSE_TIMEOUT_S)

    # --- the server's own thread ---------------------------------------------

    def _schedule(self, action: Callable[[], None]) -> None:
        try:
            self._loop.call_soon_threadsafe(action)
        except RuntimeError:
            logger.debug("the page of %s is closed", self._name)

    def _serve(self) -> None:
        asyncio.set_event_loop(self._loop)
        args = {"server": self}
        application = Application(
            [
                (r"/", _Page, args),
                (r"/events", _Events, args),
                (r"/explain/([0-9]{1,9})", _Explain, args),
                (r".*", _Nothing, args),
            ],
            log_function=lambda handler: None,
        )
        server = HTTPServer(
            application,
            idle_connection_timeout=_IDLE_S,
            body_timeout=_IDLE_S,
            max_header_size=_MOST_BYTES,
            max_body_size=_MOST_BYTES,
        )
        server.add_socket(self._listener)
        self._loop.run_forever()
        server.stop()
        self._is_closed = True
        for browser in self._browsers:
            browser.has_changes.set()
        self._loop.run_until_complete(server.close_all_connections())
        pending = asyncio.all_tasks(self._loop)
        self._loop.run_until_complete(asyncio.gather(*pending, return_exceptions=True))
        self._loop.close()

    def _send(self, trials: dict[int, list[Any]], summary: dict[str, Any]) -> None:
        for browser in self._browsers:
            browser.trials.update(trials)
            browser.summary = summary
            browser.has_changes.set()


class _Browser:
    """One open page and its unsent changes; a slow page gets only the latest of each trial."""

    def __init__(self) -> None:
        self.trials: dict[int, list[Any]] = {}
        self.summary: dict[str, Any] | None = None
        self.has_changes = asyncio.Event()


class _Handler(RequestHandler):
    def initialize(self, server: PageServer) -> None:
        self.server = server

    def prepare(self) -> None:
        hosts = self.request.headers.get_list("Host")
        if len(hosts) != 1 or not self.request.uri.startswith("/"):
            raise HTTPError(400)
        if not is_own_name(hosts[0]):
            raise HTTPError(403)

    def write_error(self, status_code: int, **known: Any) -> None:
        self.set_header("Content-Type", "text/plain; charset=utf-8")
        self.finish(f"{status_code}: {self._reason}\n")

    def log_exception(self, *error: Any) -> None:
        if error[1] is not None and not isinstance(error[1], HTTPError):
            logger.debug("the page could not be served: %r", error[1])

    def set_default_headers(self) -> None:
        self.set_header("Cache-Control", "no-store")
        self.set_header("X-Content-Type-Options", "nosniff")


class _Page(_Handler):
    def get(self) -> None:
        self.write(page_html(f"{self.server._name} \u00b7 asha-bus"))


class _Nothing(_Handler):
    def get(self) -> None:
        raise HTTPError(404)


class _Explain(_Handler):
    def get(self, number: str) -> None:
        text = self.server._explain(int(number))
        if text is None:
            raise HTTPError(404)
        self.set_header("Content-Type", "text/plain; charset=utf-8")
        self.write(text)


class _Events(_Handler):
    async def get(self) -> None:
        server = self.server
        browser = _Browser()
        self.set_header("Content-Type", "text/event-stream")
        server._browsers.add(browser)
        try:
            while (document := server._document()) is None:
                self.write(": the run has not begun\n\n")
                await self.flush()
                await asyncio.sleep(_NOT_YET_S)
            self._event("run", document)
            await self._deliver(browser)
        except StreamClosedError:
            pass  # the browser went away
        finally:
            server._browsers.discard(browser)

    async def _deliver(self, browser: _Browser) -> None:
        """Send changes until the end of the run; each batch waits until the last one is sent."""
        while not self.server._is_closed:
            trials, browser.trials = browser.trials, {}
            summary, browser.summary = browser.summary, None
            browser.has_changes.clear()
            if trials:
                self._event("trials", list(trials.values()))
            end = self.server._end
            if end is not None:
                self._event("end", end)
            elif summary is not None:
                self._event("summary", summary)
            else:
                self.write(": keep-alive\n\n")
            await self.flush()
            if end is not None:
                return
            try:
                await asyncio.wait_for(browser.has_changes.wait(), _SILENCE_S)
            except asyncio.TimeoutError:
                continue

    def _event(self, name: str, value: Any) -> None:
        self.write(f"event: {name}\ndata: {to_json(value)}\n\n")
