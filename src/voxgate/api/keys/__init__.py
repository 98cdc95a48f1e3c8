"""`/keys`, `/key` and `/credits`: the keys of the server, as OpenRouter's clients manage theirs."""
