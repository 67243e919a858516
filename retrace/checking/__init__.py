"""Checks that raw objects, index, identities and aggregates agree, and writes again what follows from raw objects."""
