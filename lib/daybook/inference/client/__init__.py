"""Models asked by the library itself: one question at a time, or many within limits, answers kept by what was asked."""
