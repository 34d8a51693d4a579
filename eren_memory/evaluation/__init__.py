"""Measuring model editing as the field does, and fitting the decision."""
