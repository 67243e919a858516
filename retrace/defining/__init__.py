"""Reads definitions of metrics from files, and tries them over events."""
