"""The summary of a scan: its lines are read one by one, counted in bounded memory, shown on one page."""
