"""Other servers, each given the work of the bare loop.

The three ``*_app`` modules run in environments of their own, see `environment`; a picture
comes in as the bytes of its file, and its verdict and first label go out.
"""
