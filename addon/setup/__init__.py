"""The backend's environment: made, checked, and chosen in the preferences. What needs bpy begins in `preferences`."""
