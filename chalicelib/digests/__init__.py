"""Signed digests that prove what was stored."""
