"""From the arguments of a launch to a run: checked, planned, started, followed."""
