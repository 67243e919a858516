"""Tests of `retrace.Producer`, against a model of the API on a real port."""
