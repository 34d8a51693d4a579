"""Attacks kept as data, and what they would have to bring about to count as a success."""
