"""A run as many small units of work, and sums of features as shards, for clusters: what they are,
how one is made, and how all are handed to Slurm, Snakemake, GNU parallel, or an executor such as
Dask's.
"""
