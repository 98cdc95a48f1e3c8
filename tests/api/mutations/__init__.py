"""Mutated transcription requests: `cases.case` creates each from two numbers."""
