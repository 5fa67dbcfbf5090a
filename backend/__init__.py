"""The capture process: video in, takes out. Never imports the add-on or the training."""
