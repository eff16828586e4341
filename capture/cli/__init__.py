"""Thin shells over the library, one module per command group."""
