"""Photo pairs worked through in parallel, resumable: processes, a Dask cluster, kept results."""
