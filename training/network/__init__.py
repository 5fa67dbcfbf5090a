"""The networks of the paper's experiments: its own, its ablations, and those for one part alone."""
