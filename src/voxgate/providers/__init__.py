"""Providers: models that turn a window of sound into text, and the engines behind them."""
