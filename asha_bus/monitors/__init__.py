"""What is shown while a run is going on: the interface, and monitors that keep to it."""
