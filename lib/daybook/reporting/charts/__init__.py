"""Charts in one style: a title that says what is seen, units on the axes, intervals where a figure is an estimate.

Each function takes plain values and returns a `Chart`, a matplotlib Figure that a notebook shows by itself. pyplot is
not used, so nothing is global: no figure stays open, no setting leaks into another chart.
"""
