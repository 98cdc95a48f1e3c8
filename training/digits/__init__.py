"""A small model with the architecture of Voxtral Mini that transcribes spoken English digits.

The tests need a checkpoint that is small enough to commit, has the official layout, and recognizes
speech: a model with random weights cannot distinguish a correct engine from a nearly correct one.
The model code is that of transformers, so the checkpoint does not depend on this project's engine.
"""
