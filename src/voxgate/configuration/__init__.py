"""How settings are named and written: in the environment, and in the file."""
