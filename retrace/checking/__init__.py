"""Whether raw objects, index, identities and aggregates agree, and writing again what follows from raw objects."""
