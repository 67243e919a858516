"""What comes in, and from whom: every source and type that an event was accepted of."""
