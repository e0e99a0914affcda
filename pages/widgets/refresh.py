"""How often a page looks again while something goes on."""

ONE_RUN = 2.0
"""Seconds, where a page is about one run or a few."""
MANY_RUNS = 5.0
"""Where it is about all runs of a group."""
