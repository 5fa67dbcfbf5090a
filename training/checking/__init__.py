"""What `pose2pose-train check-data` finds in a data set and draws."""
