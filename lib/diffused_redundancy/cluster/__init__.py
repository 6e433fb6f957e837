"""A run as many small units of work, for clusters: what they are, how one is done, and how all are
handed to Slurm, Snakemake, GNU parallel, or an executor such as Dask's.
"""
