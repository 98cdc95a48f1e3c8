"""`POST /chat/completions`: answers to questions about texts and recordings."""
