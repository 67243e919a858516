"""`retrace.Consumer`: takes the messages of replays from a queue, and hands each over with its event, verified."""
