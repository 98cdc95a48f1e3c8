"""Weights of fewer bits: profiles, 8-bit and 4-bit layers, and their cache on disk."""
