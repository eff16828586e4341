"""Batch edge: pictures from folders and archives, through the workers, into a ledger."""
