"""The rules of events, identity, time, replay and aggregation: pure, without I/O and without a clock."""
