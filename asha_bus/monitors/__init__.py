"""Monitors: the interface, and the ones that show or record a run while it lasts."""
