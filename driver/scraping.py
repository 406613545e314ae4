"""The HTTP server of the metrics: it answers scrapes, and nobody can hold it up."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import ip_address
from socketserver import TCPServer
from typing import Any

from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import CollectorRegistry

from asha_bus.page.hosts import is_own_name

#: A request and its answer may take this long; then the connection is closed.
PATIENCE_S = 10.0
#: The most connections at a time; further ones are closed at once.
_MOST = 100
_PATHS = frozenset({"/", "/metrics"})


class _Handler(BaseHTTPRequestHandler):
    server: ScrapeServer
    server_version = "asha-bus"
    sys_version = ""

    def do_GET(self) -> None:
        """Answer with the metrics at ``/metrics`` and ``/``, to a known name."""
        status = self._refusal()
        if status is not None:
            self.send_error(status)
            return
        encoder, content_type = choose_encoder(self.headers.get("Accept", ""))
        body = encoder(self.server.registry)
        self.send_response(200)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def _refusal(self) -> int | None:
        """Why the request is not answered, as a status; None: it is."""
        hosts = self.headers.get_all("Host", [])
        has_body = "Transfer-Encoding" in self.headers or "Content-Length" in self.headers
        if has_body or len(hosts) > 1 or (not hosts and self.request_version != "HTTP/1.0"):
            return 400
        if not self.path.startswith("/"):  # an address with a host of its own
            return 400
        if not self.server.is_named(hosts[0] if hosts else ""):
            return 403
        return None if self.path.partition("?")[0] in _PATHS else 404

    def log_message(self, *arguments: Any) -> None:
        """Log nothing."""


class ScrapeServer(ThreadingHTTPServer):
    """Serves ``registry`` at ``host`` and ``port`` in threads; OSError if it cannot listen."""

    daemon_threads = True
    request_queue_size = 100

    def __init__(self, host: str, port: int, registry: CollectorRegistry) -> None:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
        self.address_family = found[0]
        self.registry = registry
        self._is_on_loopback = ip_address(str(found[4][0])).is_loopback
        #: The open connections, and when each began.
        self._connections: dict[socket.socket, float] = {}
        super().__init__((str(found[4][0]), port), _Handler)
        self._thread = threading.Thread(
            target=self.serve_forever, name=f"asha-bus-metrics-{self.server_port}", daemon=True
        )
        self._thread.start()

    def server_bind(self) -> None:
        """Bind without asking for this machine's name, which may take long."""
        TCPServer.server_bind(self)
        self.server_name, self.server_port = str(self.server_address[0]), self.server_address[1]

    def is_named(self, host: str) -> bool:
        """Whether a request for ``host`` is answered: at an open address, each is."""
        return not self._is_on_loopback or is_own_name(host)

    def process_request(self, request: Any, client_address: Any) -> None:
        """Start a thread for a connection, if there is room for it."""
        if len(self._connections) >= _MOST:
            self.shutdown_request(request)
            return
        self._connections[request] = time.monotonic()
        super().process_request(request, client_address)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        """Serve a connection, and make room for the next."""
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._connections.pop(request, None)

    def service_actions(self) -> None:
        """End connections that take too long; this is called twice a second."""
        for connection, began in list(self._connections.items()):
            if time.monotonic() - began > PATIENCE_S:
                with contextlib.suppress(OSError):  # it may just have ended
                    connection.shutdown(socket.SHUT_RDWR)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing: the peer has gone, or does not read."""

    def close(self) -> None:
        """Stop serving."""
        self.shutdown()
        self.server_close()
        self._thread.join()
