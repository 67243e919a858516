"""`retrace.Producer`: sends events from a program, and keeps each on disk until Retrace has decided about it."""
