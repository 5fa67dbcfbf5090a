"""The paper's network with the variants of its ablations, made of the modules of `backend.model`."""
