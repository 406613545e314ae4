"""What `asha_bus.doctor` finds out about machines, how it judges that, and its report."""
