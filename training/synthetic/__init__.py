"""Synthetic people: the open body, posed, rendered and labelled."""
