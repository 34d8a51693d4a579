"""`eren bench`: how fast it is, each figure beside a baseline of the same run."""
