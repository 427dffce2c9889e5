"""Where the figures of the README come from: `python -m benchmarks`, which is what `make bench` runs.

A figure of one machine on one day says little; a ratio to a well-known program that ran in between says a
lot. So everything is measured side by side with its peers, in turns, and the requirements of this project
are on ratios and counts. Each module measures one thing, prints one table and returns the requirements it
evaluated.

Not here: anything that a test should decide. `tests/sansio/test_cost.py` counts, without a clock, that cost
is linear.
"""
