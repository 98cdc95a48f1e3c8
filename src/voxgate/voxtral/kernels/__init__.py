"""Products and attention faster than PyTorch: native kernels and private oneDNN operators."""
