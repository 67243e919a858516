"""Processing of replayed messages, and of those that failed too often."""
