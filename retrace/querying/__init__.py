"""SQL over raw events: copies raw objects to this machine, and queries them with DuckDB."""
