"""The demo: a shaken camera that comes to rest, six shots, and what was said of them."""
