"""What the paper printed, and the same numbers of a run beside it."""
