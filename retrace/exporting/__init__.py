"""Events taken out of Retrace into files: fetched, checked against their hashes, and written."""
