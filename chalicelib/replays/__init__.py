"""Replays: requested, planned in slices, sent to destinations, controlled."""
