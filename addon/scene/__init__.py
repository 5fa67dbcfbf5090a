"""What takes become in Blender: armatures, bodies, keys, cameras; and back."""
