"""The machine: its processor, its graphics cards and its memory. Imports no torch."""
