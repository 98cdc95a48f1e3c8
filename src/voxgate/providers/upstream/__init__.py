"""Providers elsewhere: models that are asked over HTTP, one window of sound at a time."""
