"""Bytes to sound, sound to speech regions, regions to windows. Knows nothing of models."""
