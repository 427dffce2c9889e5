"""Where the figures of the README come from: `python -m benchmarks`, which is what `make bench` runs.

Theory: a figure of one machine on one day says little, a ratio to something well known that ran in between
says a lot. So everything is measured side by side with its peers, in turns, and what is required of this
project is required of ratios and counts. Each module measures one thing, prints one table and returns the
requirements it judged.

Not here: anything a test should decide. Whether cost is linear is also counted, without a clock, in
`tests/sansio/test_cost.py`.
"""
