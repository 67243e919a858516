"""The values of metrics by day: over all entities, by group, by entity, and of one entity."""
