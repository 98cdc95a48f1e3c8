"""The models that can be requested: their specifications, and the store of installed models."""
