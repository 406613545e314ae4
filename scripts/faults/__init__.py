"""What harms runs: kills, broken messages, bad networks, long loads."""
