"""Variance shift in anybody's own model: predicted, measured, repaired."""
