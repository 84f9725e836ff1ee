"""The compiled kernels, for use in your own Numba code.

Compiled, callable from Python and from ``@numba.njit`` functions, each with a NumPy twin of the same name in
`fastw2v.reference`: `next_u64`, `draw_below`, `build_alias`, `draw_noise`, `draw_negatives`, `draw_keep`, `update_pair`
(one gradient step), `train_span` (all tokens of a range) and `train_chunk` (a span per worker, in parallel). They
release the GIL, and all but `build_alias` allocate nothing. Matrices are float32, C-contiguous.

Ordinary Python, to prepare what those take: `spawn_streams` (one random state per worker from a seed), `noise_table`
(counts to an alias table), `keep_thresholds` (subsampling), `cut` and `next_cut` (spans), `aligned_zeros` (matrices
whose rows start on cache lines) and `Workers` (everything that belongs to one worker alone). `run_chunk` calls
`train_chunk` with as many threads as workers, one call at a time in this process (Numba's workqueue layer aborts on
two).
"""

from .pair import LOSS as LOSS
from .pair import PAIRS as PAIRS

from .pair import TRAINED as TRAINED
from .pair import train_span as train_span
from .pair import update_pair as update_pair
from .parallel import Workers as Workers
from .parallel import aligned_zeros as aligned_zeros
from .parallel import run_chunk as run_chunk
from .parallel import train_chunk as train_chunk
from .sampling import build_alias as build_alias
from .sampling import draw_below as draw_below
from .sampling import draw_keep as draw_keep
from .sampling import draw_negatives as draw_negatives
from .sampling import draw_noise as draw_noise
from .sampling import keep_thresholds as keep_thresholds
from .sampling import next_u64 as next_u64
from .sampling import noise_table as noise_table
from .sampling import spawn_streams as spawn_streams
from .spans import cut as cut
from .spans import next_cut as next_cut
