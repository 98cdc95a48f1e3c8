"""Measurements of this machine with a model of full shape, for `voxgate bench`."""
