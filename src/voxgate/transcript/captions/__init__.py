"""Captions: a transcript divided into subtitles that are easy to read."""
