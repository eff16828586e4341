"""Offline: export, quantize, verify and compare classifiers.

Needs the ``[prepare]`` extra (torch, onnx); serving never imports this package.
"""
