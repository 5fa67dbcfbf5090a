"""Many clips without a window; `commands.py` is the way in."""
