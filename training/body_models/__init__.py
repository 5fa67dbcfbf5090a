"""SMPL-X, SMPL, MANO and FLAME: their files, their layers, and the points and rotations that are supervised."""
