"""A small model of Voxtral Mini's shape that hears spoken English digits.

The tests need a checkpoint that is small enough to be committed, has the official layout, and
really hears: a model of random weights cannot tell a right engine from one that is nearly right.
The model code is transformers' own, so the checkpoint's truth does not depend on our engine.
"""
