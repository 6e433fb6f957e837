"""Fidelity to the paper: what it printed, beside the same numbers of a run, and what comes of the
further experiments of its code.
"""
