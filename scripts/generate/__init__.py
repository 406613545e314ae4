"""What writes files of this repository from the code."""
