"""Retrace under load on the embedded AWS: what its functions need, and what becomes of replays when they die."""
