"""A checkpoint on disk: its configuration, files, tensor names and weights."""
