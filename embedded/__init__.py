"""Retrace on one machine: the real application, packaged as for AWS, deployed onto an embedded AWS (MiniStack)."""
