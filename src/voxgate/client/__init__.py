"""The client of a Voxgate server, with the methods of a local `Session`."""
