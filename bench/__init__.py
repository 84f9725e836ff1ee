"""The bench suite: ``python -m bench COMMAND``; results go to ``bench/results/``, one JSON object per line."""

import os

# Before NumPy is loaded: NumPy's rungs are measured on one worker. The kernels and the peers use no threads of BLAS.
for _name in ("OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(_name, "1")
