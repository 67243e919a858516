"""Definitions of metrics in files, and what they would come to."""
