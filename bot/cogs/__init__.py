"""Commands, grouped by who uses them."""
