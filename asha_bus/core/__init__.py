"""The pure core: every decision of asha-bus, and no I/O.

Nothing here opens a socket, reads a clock, starts a thread, touches a file or
draws from a global random generator. Time, suggestions, joins and leaves come
in as arguments, so the same events always give the same state. ``ruff.toml``
in this folder bans the modules that would break this.
"""
