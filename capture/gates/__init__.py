"""Numbers to verdicts. Pure functions over frozen dataclasses."""
