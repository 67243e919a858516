"""`retrace ingest`: files of events, read as a stream, sent in batches, and taken in once however often sent."""
