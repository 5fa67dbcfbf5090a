"""The body model: skinning, joint sets, and the open body's file."""
