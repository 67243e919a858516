"""Replays: asked for, planned in slices, sent to ReplayQueue, controlled."""
