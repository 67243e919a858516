"""Rejected events: listed, shown, and sent through ingest again."""
