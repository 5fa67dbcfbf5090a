"""How trained networks are measured: predictions of a test set, results, the paper's tables with its own numbers."""
