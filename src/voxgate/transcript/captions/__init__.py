"""Subtitles: a transcript laid out in captions that read well."""
