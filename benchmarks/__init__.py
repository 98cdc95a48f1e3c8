"""Measurements of speed, memory and accuracy. `make bench` prints one table."""
