"""The gRPC edge: one asyncio process that admits, hands over and answers, and touches no pixel."""
