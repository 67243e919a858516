"""Replays: requested, planned in slices, sent to ReplayQueue, controlled."""
