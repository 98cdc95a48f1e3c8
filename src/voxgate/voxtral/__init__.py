"""Voxtral Mini and Small in readable PyTorch: tensors and checkpoints, and nothing else.

    samples → features → encoder → projector ┐
                     tokenizer → prompt ─────┴→ decoder (over a cache) → sampling → text

`docs/voxtral.md` maps each equation of the model to its line here.
"""
