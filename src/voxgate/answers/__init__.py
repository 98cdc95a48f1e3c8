"""Questions about recordings and texts, and their answers: as text, or as JSON by a schema."""
