"""Smart Capture: is the camera still, and is the shot usable?"""

__version__ = "0.1.0"
