"""How a result is told. Pure: reads results, reaches nothing."""
