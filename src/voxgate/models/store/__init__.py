"""The models on this machine: pull, add, import, export, verify and remove them.

Imports no torch, and the hub's client only for a pull. docs/decisions/0011-registry.md describes
the files on disk and the reasons. Other packages look up a model in `models.available`.
"""
