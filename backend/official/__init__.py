"""The checkpoints that the paper's authors released: read, recognized, converted, written."""
