"""The pages of who runs the server: engines, models, providers, settings and the log."""
