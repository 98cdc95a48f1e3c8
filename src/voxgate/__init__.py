"""Voxgate: speech to text on your own machines."""

from voxgate._version import __version__

__all__ = ["__version__"]
