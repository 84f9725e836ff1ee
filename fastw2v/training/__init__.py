"""From ids to vectors: the driver runs kernels in chunks, and saves and resumes runs."""
