"""``python -m bench``: measurements, each written to ``bench/results/`` with what is needed to repeat it."""

import argparse
from pathlib import Path

from . import ingest, ladder, peak, peers, quality, report, scale, sweep, whole


def main() -> None:
    """Run one bench command."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    sub = commands.add_parser("quality", help="train a real corpus with several seeds; time, memory and scores")
    sub.add_argument("corpus", type=Path, help="a text file")
    sub.add_argument("--similarity", type=Path, action="append", default=[], help="similarity file (repeat for more)")
    sub.add_argument("--analogies", type=Path, action="append", default=[], help="analogy file (repeat for more)")
    sub.add_argument("--seeds", type=int, default=3, help="seeds 1..N (default: 3)")
    sub.add_argument("--kernel", help="passed to fastw2v train, as --option=--kernel=KERNEL")
    sub.add_argument("--option", action="append", default=[], metavar="--NAME=VALUE", help="passed to fastw2v train")
    sub.set_defaults(run=quality.run)

    sub = commands.add_parser("peak", help="the most GFLOP/s that one core and all cores can do")
    sub.set_defaults(run=peak.run)

    sub = commands.add_parser("ladder", help="from NumPy to all workers of the fastest kernel, rung by rung")
    sub.add_argument("corpus", type=Path, nargs="?", help="a text or prepared folder (default: synthetic)")
    sub.add_argument("--vector-size", type=int, default=100, metavar="N", help="default: 100")
    sub.add_argument("--tokens", type=int, default=8_000_000, metavar="N", help="for the kernels (default: 8000000)")
    sub.add_argument("--repeats", type=int, default=3, metavar="N", help="default: 3")
    sub.add_argument("--quick", action="store_true", help="a fiftieth of the tokens: does it run?")
    sub.set_defaults(run=ladder.run)

    sub = commands.add_parser("sweep", help="both kernels over vector sizes, windows, noise words and vocabularies")
    sub.add_argument("corpus", type=Path, nargs="?", help="a text or prepared folder (default: synthetic)")
    sub.add_argument("--tokens", type=int, default=2_000_000, metavar="N", help="of a run (default: 2000000)")
    sub.add_argument("--repeats", type=int, default=3, metavar="N", help="default: 3")
    sub.add_argument("--quick", action="store_true", help="a fiftieth of the tokens: does it run?")
    sub.set_defaults(run=sweep.run)

    sub = commands.add_parser("peers", help="training throughput beside word2vec.c and gensim, in turn")
    sub.add_argument("corpus", type=Path, help="a text file, one sentence a line")
    size_help = "repeat for more (default: 100)"
    sub.add_argument("--vector-size", type=int, action="append", metavar="N", help=size_help)
    sub.add_argument("--tokens", type=int, metavar="N", help="only the first N words (default: all)")
    sub.add_argument("--epochs", type=int, default=1, help="epochs of a run (default: 1)")
    sub.add_argument("--rounds", type=int, default=3, help="times each is run (default: 3)")
    sub.add_argument("--peers", nargs="*", choices=peers.PEERS, default=peers.PEERS, help="default: all")
    sub.set_defaults(run=peers.run)

    sub = commands.add_parser("ingest", help="from text to ids, beside gensim's vocabulary scan and gzip -dc, in turn")
    sub.add_argument("corpus", type=Path, help="a text file, one sentence a line")
    sub.add_argument("--tokens", type=int, metavar="N", help="only the first N words (default: all)")
    sub.add_argument("--rounds", type=int, default=5, help="times each is run (default: 5)")
    sub.add_argument("--quick", action="store_true", help=f"{ingest.QUICK_TOKENS} words: does it run?")
    sub.set_defaults(run=ingest.run)

    sub = commands.add_parser("whole", help="the whole command, text to saved vectors, beside word2vec.c's")
    sub.add_argument("corpus", type=Path, help="a text file, one sentence a line")
    sub.add_argument("--tokens", type=int, metavar="N", help="only the first N words (default: all)")
    sub.add_argument("--rounds", type=int, default=3, help="times each is run (default: 3)")
    sub.set_defaults(run=whole.run)

    sub = commands.add_parser("scale", help="texts of growing length: seconds, memory, and planted words found")
    lengths = [30_000_000, 100_000_000, 300_000_000]
    sub.add_argument("--tokens", type=int, nargs="+", default=lengths, metavar="N", help="default: 30, 100 and 300 M")
    sub.add_argument("--words", type=int, default=1_000_000, metavar="N", help="default: 1000000")
    sub.add_argument(
        "--scratch", type=Path, metavar="DIR", help="where texts of gigabytes go (default: as tempfile says)"
    )
    sub.add_argument("--quick", action="store_true", help="a hundredth of all: does it run?")
    sub.set_defaults(run=scale.run)

    sub = commands.add_parser("report", help="print the README's tables from the newest results")
    sub.set_defaults(run=lambda arguments: report.main())

    arguments = parser.parse_args()
    arguments.run(arguments)


main()
