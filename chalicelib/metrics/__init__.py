"""Metrics: definitions of numbers, and what each event contributes to them, exact to the last digit."""
