"""Decode recordings to mono PCM16, find speech in it, and plan windows. Independent of models."""
