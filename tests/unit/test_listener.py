"""Where the bus listens, with both kinds of addresses."""

from __future__ import annotations

import socket

import pytest

from asha_bus.core.errors import BusError
from asha_bus.driver.listener import listen_at, tcp


@pytest.mark.parametrize(
    ("host", "endpoint"),
    [
        ("127.0.0.1", "tcp://127.0.0.1:7"),
        ("driver.example", "tcp://driver.example:7"),
        ("::1", "tcp://[::1]:7"),
        ("[fe80::1]", "tcp://[fe80::1]:7"),  # as Spark writes it
    ],
)
def test_an_endpoint_has_brackets_around_an_address_of_ipv6(host: str, endpoint: str) -> None:
    assert endpoint == tcp(host, 7)


@pytest.mark.parametrize(
    ("host", "family"),
    [
        ("127.0.0.1", socket.AF_INET),
        ("localhost", socket.AF_INET),
        ("::1", socket.AF_INET6),
        ("[::1]", socket.AF_INET6),
    ],
)
def test_it_listens_at_addresses_of_both_kinds(host: str, family: int) -> None:
    with listen_at(host, 0) as listener:
        assert family == listener.family
        with socket.create_connection(listener.getsockname()[:2], timeout=10):
            pass


def test_an_address_of_another_machine_is_named() -> None:
    with pytest.raises(BusError, match=r"could not listen at 192\.0\.2\.1: .* BusOptions"):
        listen_at("192.0.2.1", 0)
