"""Recorded previews through the same code as a live camera."""
