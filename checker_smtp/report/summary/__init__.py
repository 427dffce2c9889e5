"""What a whole scan found: its lines read one by one, counted in bounded memory, told on one page."""
