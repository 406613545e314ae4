"""The place where a run keeps what its trials attach, of its path or address."""

from __future__ import annotations

from asha_bus.objective.kept import Store, is_address
from asha_bus.objective.kept_folder import FolderStore
from asha_bus.objective.kept_remote import RemoteStore


def store_at(place: str) -> Store:
    """The store in the folder or at the address ``place``.

    Raises `ValueError` for a folder that is not absolute, and what `RemoteStore` raises.
    """
    return RemoteStore(place) if is_address(place) else FolderStore(place)
