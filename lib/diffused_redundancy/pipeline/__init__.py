"""Planning and running notebooks."""
