"""What people would otherwise use, written as its documentation shows, to be measured beside Retrace."""
