"""The protocols by which the paper measures: one module each, `build` picks one by a test set's name."""
