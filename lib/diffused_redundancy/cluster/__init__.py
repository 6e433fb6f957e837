"""A run as many small pieces of work, for clusters: what they are, how one is done, and how many are
handed to Slurm, Snakemake, GNU parallel, or an executor such as Dask's.
"""
