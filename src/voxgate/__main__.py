"""`python -m voxgate`: the command line."""

from voxgate.cli import main

main()
