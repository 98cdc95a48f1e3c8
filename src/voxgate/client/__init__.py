"""A Voxgate server as seen from the command line, with the verbs of a local `Session`."""
