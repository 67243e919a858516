"""Processes that do the work of the deployed functions for queues, and may be killed while they do."""
