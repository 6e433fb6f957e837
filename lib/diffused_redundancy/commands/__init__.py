"""The commands beside the running of notebooks."""
