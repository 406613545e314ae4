"""One program a tuner: each tunes the same curve by the same rule, and records what it did."""
