"""Data sets in their published layouts, all read as the one `Sample`."""
