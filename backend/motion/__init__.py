"""Motion as arrays: takes, rotations, the skeleton, smoothing, placement. numpy only; shared with Blender's Python."""
