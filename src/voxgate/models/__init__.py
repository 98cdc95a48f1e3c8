"""The models that can be asked for: their specifications, and the store of installed ones."""
