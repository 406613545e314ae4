"""What travels to a worker: the objective, what it captured, and its data."""
