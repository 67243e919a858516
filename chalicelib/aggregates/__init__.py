"""Daily aggregates: versions, inputs, the outcome of each message, and differences."""
