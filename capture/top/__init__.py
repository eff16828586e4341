"""What a server is doing, as seen from its page of metrics."""
