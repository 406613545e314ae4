"""Hyperopt's programs: `fmin`, its trials, spaces and algorithms."""
