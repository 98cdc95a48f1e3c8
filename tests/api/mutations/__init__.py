"""Transcription requests, spoilt at every layer: `cases.case` makes them, each from two numbers."""
