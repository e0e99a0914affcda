"""Accuracy for parameters, and published results beside it."""
