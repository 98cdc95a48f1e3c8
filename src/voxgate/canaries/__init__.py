"""Canaries: recordings with known words, which a server sends through each of its endpoints."""
