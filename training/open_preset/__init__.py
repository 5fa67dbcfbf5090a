"""Training of the preset `open`: heads on pretrained networks, by the clock, on synthetic people."""
