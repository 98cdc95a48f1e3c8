"""One file a transcript format, behind one table."""
