"""Daily aggregates: versions, inputs, what is recorded of each message, and differences."""
