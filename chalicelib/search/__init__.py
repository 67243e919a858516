"""Finding events, late arrivals and gaps, and the history of one event."""
