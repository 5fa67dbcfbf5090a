"""The service behind `pose2pose serve`: who may ask, what waits, and the process that computes."""
