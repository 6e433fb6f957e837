"""Measurements of a layer: features in, curves out, each computed once and kept in the cache."""
