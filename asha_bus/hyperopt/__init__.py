"""Runs programs written for hyperopt: `fmin`, its trials, spaces and algorithms."""
