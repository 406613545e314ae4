"""The servers of the page and of the metrics, asked by anybody for anything."""

from __future__ import annotations

import http.client
import socket
import time
from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest
from prometheus_client.registry import CollectorRegistry
from support import objectives
from support.processes import wait_until

import asha_bus as ab
from asha_bus.driver import scraping


@pytest.fixture(scope="module")
def run() -> Iterator[ab.Run]:
    run = ab.start(
        objectives.slope,
        {"x": ab.uniform(0, 1)},
        max_trials=100_000,
        engine="local",
        workers=1,
        monitor=None,
        page=True,
        metrics_port=0,
    )
    wait_until(lambda: "asha_bus_up{" in ask(run.metrics_url, "/metrics")[1])
    yield run
    run.stop()
    run.result(timeout=60)


def address(url: str | None) -> tuple[str, int]:
    parts = urlsplit(url or "")
    assert parts.hostname is not None and parts.port is not None
    return parts.hostname, parts.port


def ask(url: str | None, path: str, host: str = "localhost", **headers: str) -> tuple[int, str]:
    connection = http.client.HTTPConnection(*address(url), timeout=20)
    connection.putrequest("GET", path, skip_host=True)
    for name, value in {"Host": host, **headers}.items():
        connection.putheader(name, value)
    connection.endheaders()
    answer = connection.getresponse()
    found = answer.status, answer.read().decode()
    connection.close()
    return found


@pytest.mark.parametrize(
    "host", ["tuning.example.org", "tuning.example.org:80", "[", "[::2]", "localhost.evil", ""]
)
def test_foreign_names_are_answered_by_neither(run: ab.Run, host: str) -> None:
    assert 403 == ask(run.metrics_url, "/metrics", host)[0]
    assert ask(run.page_url, "/", host)[0] in (400, 403)


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "localhost:9", "[::1]:9"])
def test_own_names_are_answered_by_both(run: ab.Run, host: str) -> None:
    status, text = ask(run.metrics_url, "/metrics", host)
    assert 200 == status
    assert "asha_bus_up{" in text
    assert 200 == ask(run.page_url, "/", host)[0]


def test_an_endpoint_that_is_open_to_the_network_answers_to_each_name() -> None:
    with socket.socket() as free:
        free.bind(("", 0))
        port = free.getsockname()[1]
    server = scraping.ScrapeServer("0.0.0.0", port, CollectorRegistry())
    try:
        assert 200 == ask(f"http://127.0.0.1:{port}", "/metrics", "tuning.example.org")[0]
    finally:
        server.close()


HEAD = b"\r\nHost: localhost\r\nConnection: close\r\n"


def status_of(url: str | None, request: bytes) -> int:
    """The status of the answer to these bytes; 0 where the connection was closed without."""
    with socket.create_connection(address(url), timeout=20) as connection:
        connection.sendall(request)
        try:
            answer = b"".join(iter(lambda: connection.recv(65_536), b""))
        except ConnectionError:
            return 0
    return int((answer.split(maxsplit=2) or [b"", b"0"])[1])


@pytest.mark.parametrize("which", ["page", "metrics"])
@pytest.mark.parametrize(
    ("request_", "refused"),
    [
        (b"GET / HTTP/1.1" + HEAD + b"Host: localhost\r\n\r\n", {400}),
        (b"GET / HTTP/1.1" + HEAD + b"Host: evil.example\r\n\r\n", {400}),
        (b"GET http://evil.example/ HTTP/1.1" + HEAD + b"\r\n", {400}),
        (b"GET http://localhost/ HTTP/1.1" + HEAD + b"\r\n", {400}),
        (b"GET / HTTP/1.1\r\nConnection: close\r\n\r\n", {400}),
        (b"GET / HTTP/1.1\r\nHost: localhost@evil.example\r\n\r\n", {400, 403}),
        (b"GET / HTTP/1.1\r\nHost: localhost/evil\r\n\r\n", {400, 403}),
        (b"GET /metricsfoo HTTP/1.1" + HEAD + b"\r\n", {404}),
        (b"GET /metrics/foo HTTP/1.1" + HEAD + b"\r\n", {404}),
        (b"GET /" + b"a" * 70_000 + b" HTTP/1.1" + HEAD + b"\r\n", {0, 400, 414}),
    ],
)
def test_a_request_that_two_readers_may_read_differently_is_refused(
    run: ab.Run, which: str, request_: bytes, refused: set[int]
) -> None:
    url = run.page_url if which == "page" else run.metrics_url
    assert status_of(url, request_) in refused


@pytest.mark.parametrize(
    "more",
    [b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n", b"Content-Length: 1\r\n\r\na"],
)
def test_a_scrape_has_no_body(run: ab.Run, more: bytes) -> None:
    assert status_of(run.metrics_url, b"GET /metrics HTTP/1.1" + HEAD + more) == 400


PATHS = [
    "/explain/" + "9" * 5_000,
    "/explain/999999999",
    "/explain/\u0663".encode().decode("latin-1"),
    "/explain/-1",
    "/explain/1e3",
    "/explain/%30",
    "/explain/0/../../etc/passwd",
    "/%00",
    "/?" + "a" * 5_000,
    "//",
    "/events/",
    "*",
]


@pytest.mark.parametrize("path", PATHS)
def test_no_request_fails_the_page_or_shows_a_traceback(
    run: ab.Run, path: str, capfd: pytest.CaptureFixture[str]
) -> None:
    connection = socket.create_connection(address(run.page_url), timeout=20)
    request = f"GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
    connection.sendall(request.encode("latin-1"))
    answer = b"".join(iter(lambda: connection.recv(65_536), b""))
    connection.close()
    status = answer.partition(b"\r\n")[0].split()
    assert status[:2] in ([b"HTTP/1.1", b"200"], [b"HTTP/1.1", b"404"], [b"HTTP/1.1", b"400"])
    assert b"Traceback" not in answer
    assert "Traceback" not in capfd.readouterr().err


def test_an_error_of_the_page_is_one_line(run: ab.Run, monkeypatch: pytest.MonkeyPatch) -> None:
    from asha_bus.page.server import _Explain

    def fail(self: object, number: str) -> None:
        raise RuntimeError("secret")

    monkeypatch.setattr(_Explain, "get", fail)
    assert (500, "500: Internal Server Error\n") == ask(run.page_url, "/explain/0")


BYTES = [
    b"\x00" * 100,
    b"GET /metrics HTTP/1.1\r\nHost: \xff\xfe\r\n\r\n",
    b"POST /metrics HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9999999999\r\n\r\n",
    b"GET " + b"a" * 70_000,
    b"GET / HTTP/1.1\r\n" + b"A: b\r\n" * 1_000,
    b"GET / HTTP/9.9\r\n\r\n",
]


@pytest.mark.parametrize("data", BYTES)
@pytest.mark.parametrize("which", ["page", "metrics"])
def test_garbage_harms_neither(
    run: ab.Run, which: str, data: bytes, capfd: pytest.CaptureFixture[str]
) -> None:
    url = run.page_url if which == "page" else run.metrics_url
    with socket.create_connection(address(url), timeout=20) as connection:
        connection.sendall(data)
        connection.shutdown(socket.SHUT_WR)
        try:
            while connection.recv(65_536):
                pass
        except ConnectionError:
            pass
    assert 200 == ask(url, "/")[0]
    assert "Traceback" not in capfd.readouterr().err


def test_idle_and_slow_scrapers_are_let_go(run: ab.Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scraping, "PATIENCE_S", 1.0)
    idle = [socket.create_connection(address(run.metrics_url), timeout=20) for _ in range(300)]
    slow = idle[0]
    slow.sendall(b"GET /metrics HTTP/1.1\r\n")
    deadline = time.monotonic() + 20
    try:
        while time.monotonic() < deadline:  # a byte now and then does not keep it open
            slow.sendall(b"A")
            time.sleep(0.2)
    except ConnectionError:
        pass
    assert time.monotonic() < deadline
    for connection in idle[1:]:
        try:
            assert b"" == connection.recv(1)
        except ConnectionError:
            pass
        connection.close()
    slow.close()
    wait_until(lambda: ask(run.metrics_url, "/metrics")[0] == 200)
