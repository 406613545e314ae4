"""Prepares what is sent to a worker: the objective, its captured variables, and its data."""
