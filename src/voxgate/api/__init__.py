"""The dialects: wire to canonical and back; the server's routes."""
