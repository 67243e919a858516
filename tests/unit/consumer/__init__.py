"""Tests of `retrace.Consumer` that need no AWS."""
