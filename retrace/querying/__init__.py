"""SQL over raw events: raw objects copied to this machine, and asked with DuckDB."""
