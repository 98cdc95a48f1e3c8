"""Recordings that callers keep on the server, where its operator allows it: Mistral's `/files`."""
