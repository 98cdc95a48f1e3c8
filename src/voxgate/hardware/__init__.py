"""The machine's processor, GPUs and memory. Imports no torch."""
