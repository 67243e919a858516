"""Events: what makes one, how it is stored verbatim, and the index that finds it."""
