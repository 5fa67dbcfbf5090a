"""The way to the backend: its process, HTTP, captures from beginning to end. Plain Python, no bpy."""
