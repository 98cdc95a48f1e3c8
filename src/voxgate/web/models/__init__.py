"""The pages of models: the list, one model, several side by side."""
