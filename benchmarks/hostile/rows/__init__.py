"""One module for each row; see `benchmarks.hostile`."""
