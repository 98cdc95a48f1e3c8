"""The `Provider` protocol, and what fulfils it."""
