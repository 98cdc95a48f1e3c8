"""The models on this machine: fetched, added or imported, named, checked and removed.

Imports no torch, and the hub's client only when something is pulled. What lies where, and why, is
in docs/decisions/0011-registry.md; `shelf` is where others ask for a model by its name.
"""
