"""The transcript values, the joining of windows on one timeline, and the output formats."""
