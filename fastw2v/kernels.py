"""The compiled kernels, for use in your own Numba code.

All of them can be called from Python and from ``@numba.njit`` functions, allocate nothing, and release the GIL. The
same names in `fastw2v.reference` are their NumPy twins. Matrices are float32, C-contiguous; rows of `aligned_zeros`
start on cache lines.

Random numbers: `next_u64`, `draw_below`; `spawn_streams` makes one state per worker from a seed.
Noise words: `noise_table` (or `build_alias` for any weights), then `draw_noise`, `draw_negatives`.
Subsampling: `keep_thresholds`, then `draw_keep`.
Training: `update_pair` (one gradient step), `train_span` (all tokens of a range), `train_chunk` (a span per worker, in
parallel; use `run_chunk`, which sets the number of threads and keeps parallel kernels from meeting), with a `Workers`
for everything that belongs to one worker, and `cut` and `next_cut` for spans.
"""

from .pair import LOSS as LOSS
from .pair import PAIRS as PAIRS
from .pair import PIECE as PIECE
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
