"""What surrounds the training loop: runs and their logs, batches for one process or several, sheets of samples."""
