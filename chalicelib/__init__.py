"""Retrace: capture events once, keep them unchanged, investigate, replay, and account for every derived number."""
