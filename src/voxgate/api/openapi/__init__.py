"""The server's own OpenAPI: what each operation takes and answers."""
