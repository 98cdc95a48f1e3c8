"""A transcription request's body: JSON, multipart or urlencoded, read into one value."""
