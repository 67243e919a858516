"""`retrace`: the command line of Retrace, for producers who load files and for people on call who investigate."""
