"""Offline: simulate blur in linear light and train the model of the blur measure.

Nothing here is imported at run time; it needs the ``prepare`` extra.
"""
