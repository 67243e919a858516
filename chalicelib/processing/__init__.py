"""Processing of replayed messages, what consumers report of theirs, and messages that failed too often."""
