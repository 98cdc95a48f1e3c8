"""Recordings by address: one URL is fetched into an unnamed file, where that is allowed."""
