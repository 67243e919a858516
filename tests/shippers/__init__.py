"""Log shippers as far as Retrace depends on them: the events they form, and what they do with answers."""
