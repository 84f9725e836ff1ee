"""The compiled kernels, for use in your own Numba code; ``docs/kernels.md`` has examples.

These are compiled. You can call them from Python and from ``@numba.njit`` functions. Each has a NumPy twin of the same
name in `fastw2v.reference`. They release the GIL, check no bounds, and all but `build_alias` allocate nothing.

- Random numbers: `next_u64`, `draw_below`, `draw_noise`, `draw_negatives`, `draw_keep`, and `build_alias`.
- One gradient step: `update_pair` for a pair, `tile_step` for a `Tile` of centres that have `Shared` noise words and
  rows `Ahead` to prefetch.
- A span of tokens on one thread: `train_span` pair by pair, `tile_span` tile by tile, for one `Worker`.

Ordinary Python:

- `run_chunk` trains spans in parallel, for a `Text`, a `Model`, a `Sampling`, a `Rate` and `Workers`.
- `spawn_streams`, `noise_table`, `noise_weights`, `keep_thresholds`, `expected_kept`, `cut`, `next_cut`,
  `aligned_zeros`, `choose_tiling` (which returns a `Tiling`) and `tile_scratch` prepare what kernels take.
- LOSS, PAIRS, TRAINED and LOSS_PAIRS are the columns of the tally of a `Worker`. PIECE is the length of a block in
  tokens. SPARE is the number of elements that vectors may reach past an array's end.
- The module `simd` has the vector values and small matrix products that the tile kernel uses.
"""

from . import simd as simd
from .pair import train_span as train_span
from .pair import update_pair as update_pair
from .parallel import Workers as Workers
from .parallel import run_chunk as run_chunk
from .records import LOSS as LOSS
from .records import LOSS_PAIRS as LOSS_PAIRS
from .records import PAIRS as PAIRS
from .records import TRAINED as TRAINED
from .records import Ahead as Ahead
from .records import Model as Model
from .records import Rate as Rate
from .records import Sampling as Sampling
from .records import Shared as Shared
from .records import Text as Text
from .records import Tile as Tile
from .records import Tiling as Tiling
from .records import Worker as Worker
from .records import aligned_zeros as aligned_zeros
from .sampling import build_alias as build_alias
from .sampling import draw_below as draw_below
from .sampling import draw_keep as draw_keep
from .sampling import draw_negatives as draw_negatives
from .sampling import draw_noise as draw_noise
from .sampling import expected_kept as expected_kept
from .sampling import keep_thresholds as keep_thresholds
from .sampling import next_u64 as next_u64
from .sampling import noise_table as noise_table
from .sampling import noise_weights as noise_weights
from .sampling import spawn_streams as spawn_streams
from .spans import PIECE as PIECE
from .spans import cut as cut
from .spans import next_cut as next_cut
from .tile import SPARE as SPARE
from .tile import choose_tiling as choose_tiling
from .tile import tile_scratch as tile_scratch
from .tile import tile_span as tile_span
from .tile import tile_step as tile_step
