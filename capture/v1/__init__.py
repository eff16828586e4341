"""Generated from proto/capture/v1 by `make proto`; not written by hand."""
