"""Taking events in: parsed, deduplicated, stored, and rejections kept."""
