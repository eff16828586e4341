"""Pixels to numbers: blur, exposure, noise and motion. Pure functions over arrays."""
