"""The pages of who signed in: their key, what it used, its generations; keys, for who manages."""
