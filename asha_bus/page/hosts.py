"""The names by which this machine's own browsers and scrapers ask a server on loopback."""

from __future__ import annotations

from urllib.parse import urlsplit

_NAMES = frozenset({"127.0.0.1", "localhost", "::1"})


def is_own_name(host: str) -> bool:
    """Whether the header ``Host`` names this machine; another name may be an attack.

    A foreign page can have its own name resolved to 127.0.0.1 (DNS rebinding).
    """
    try:
        parts = urlsplit(f"//{host}")
        _ = parts.port  # ValueError if it is none
    except ValueError:
        return False
    return parts.netloc == host and "@" not in host and parts.hostname in _NAMES
