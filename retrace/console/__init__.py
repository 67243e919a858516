"""The web console: a page on this machine's loopback that asks the API as whoever started it."""
