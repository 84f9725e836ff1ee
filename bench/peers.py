"""``peers``: this package beside every other available program, in turn, on one text.

A round runs every peer once and fastw2v beside each: before the peer in odd rounds, after it in even rounds. The next
round starts with the next peer. Each run is a process of its own (bench/systems.py), and ratios are those of two runs
beside each other. All programs have the same text, vocabulary, window, negative, sample, alpha and number of workers,
except "fastText defaults", which has its own. The table of ``parity`` has the other differences.
"""

import argparse
import datetime
import statistics
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from corpora import synthetic
from fastw2v import Embeddings, prepare
from fastw2v.config import TrainConfig
from fastw2v.machine import usable_cores
from fastw2v.text.corpus import Corpus

from . import record, report, systems
from .report import Record
from .steps import steps
from .systems import Job, System

HELP = "time and memory of the whole command and of its training, beside every available peer, in turn"
OURS = "fastw2v"  # the default kernel
LONGEST = 1000  # words of a sentence, word2vec.c's MAX_SENTENCE_LENGTH
SYNTHETIC = {"tokens": 2_000_000, "words": 30_000}
QUICK_TOKENS = 100_000


def first_tokens(source: Path, tokens: int | None, target: Path) -> None:
    """Copy whole lines of a text until they hold that many words; the copy ends with a newline.

    Raises:
        SystemExit: a line has more words than word2vec.c keeps together.
    """
    left = tokens or sys.maxsize
    with open(source, "rb") as lines, open(target, "wb") as copy:
        for number, line in enumerate(lines, 1):
            words = len(line.split())
            if words > LONGEST:
                sys.exit(f"{source}, line {number}: {words} words; word2vec.c cuts sentences at {LONGEST}: break it up")
            copy.write(line if line.endswith(b"\n") else line + b"\n")
            left -= words
            if left <= 0:
                return


@contextmanager
def text_of(source: Path | None, tokens: int | None) -> Iterator[tuple[Path, Corpus, dict[str, Any]]]:
    """Give a text in a folder of its own, the first words of ``source`` or synthetic ones, its ids, and its sizes."""
    with tempfile.TemporaryDirectory(prefix="fastw2v-bench-") as temporary:
        text = Path(temporary) / "corpus.txt"  # word2vec.c's buffers for names hold 100 bytes
        if source is None:
            synthetic.write(text, tokens=tokens or SYNTHETIC["tokens"], words=SYNTHETIC["words"])
        else:
            first_tokens(source, tokens, text)
        corpus = prepare(text, Path(temporary) / "prepared", progress=False)
        yield (
            text,
            corpus,
            {
                "name": source.name if source else "synthetic",
                "tokens": corpus.tokens_read,
                "kept": len(corpus.ids),
                "words": len(corpus.vocab),
                "sentences": len(corpus.offsets) - 1,
            },
        )


def add_text(parser: argparse.ArgumentParser) -> None:
    """Add the options that choose a text."""
    parser.add_argument("corpus", type=Path, nargs="?", help="a text file, one sentence per line (default: synthetic)")
    parser.add_argument("--tokens", type=int, metavar="N", help="only the first N words (default: all)")
    parser.add_argument("--quick", action="store_true", help=f"trial run: {QUICK_TOKENS:,} words, once")


def add_choice(parser: argparse.ArgumentParser) -> None:
    """Add the options that `peers` and `quality` share."""
    add_text(parser)
    names = ", ".join(systems.SYSTEMS)
    parser.add_argument(
        "--systems", nargs="+", choices=systems.SYSTEMS, metavar="NAME", help=f"default: all available ones of {names}"
    )
    parser.add_argument("--pword2vec", type=Path, metavar="PROGRAM", help="a compiled pWord2Vec to compare too")


def choice_of(arguments: argparse.Namespace) -> str:
    """Return the options of `add_choice` as words of a command line."""
    words = f" {arguments.corpus.name}" if arguments.corpus else ""
    words += f" --tokens {arguments.tokens}" * (arguments.tokens is not None)
    if arguments.systems:
        words += " --systems " + " ".join(f"'{name}'" if " " in name else name for name in arguments.systems)
    if getattr(arguments, "pword2vec", None):
        words += f" --pword2vec {arguments.pword2vec.name}"
    return words + " --quick" * arguments.quick


def tokens_of(arguments: argparse.Namespace) -> int | None:
    """Return the number of words to take from the text."""
    return min(arguments.tokens or QUICK_TOKENS, QUICK_TOKENS) if arguments.quick else arguments.tokens


def turns(names: Sequence[str], number: int) -> list[tuple[str, str | None]]:
    """Return the systems in the order of round ``number``, from 1, each with the peer beside which ours is run."""
    peers = [name for name in names if name != OURS]
    if OURS not in names or not peers:
        return [(name, None) for name in names]
    first = (number - 1) % len(peers)
    couples = [((OURS, peer), (peer, None)) for peer in peers[first:] + peers[:first]]
    return [turn for couple in couples for turn in (couple if number % 2 else couple[::-1])]


def run_all(
    bench: str,
    command: str,
    found: dict[str, System],
    text: Path,
    sizes: dict[str, Any],
    configs: list[TrainConfig],
    quick: bool,
    look: Callable[[Embeddings], dict[str, Any]] = lambda vectors: {},
) -> list[dict[str, Any]]:
    """Run every system with every configuration, in the order of `turns`, and record each run.

    Args:
        bench: the file of the results.
        command: the command line of this bench.
        found: the systems by name.
        text: the corpus; the programs run in its folder.
        sizes: facts about the text, for the results.
        configs: one for each round.
        quick: whether this is a trial run.
        look: returns the facts to record about the vectors of a run.

    Returns:
        The results, in their order.
    """
    batch = datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    results = []
    for name in found:
        if name.startswith("fastw2v"):  # This run compiles the kernels, whose time `startup` measures.
            systems.run_once(found[name], Job(text, replace(configs[0], epochs=1)))
    runs = [
        (number, config, name, beside)
        for number, config in enumerate(configs, 1)
        for name, beside in turns(list(found), number)
    ]
    with steps(bench, len(runs)) as done:
        for number, config, name, beside in runs:
            system, job = found[name], Job(text, config)
            outcome = systems.run_once(system, job)
            vectors = systems.load_vectors(system, job)
            trained = outcome["train_seconds"]
            speed = round(sizes["kept"] * config.epochs / trained) if trained else None
            result: dict[str, Any] = {
                "batch": batch,
                "quick": quick,
                "round": number,
                "system": name,
                "beside": beside,
                "seed": config.seed,
                "config": systems.shared_options(config),
                "made": system.origin,
                "corpus": sizes,
                **outcome,
                "tokens_per_s": speed,
                "vectors": len(vectors),
                **look(vectors),
            }
            results.append(record.append(bench, command, result))
            training = f"{speed / 1e6:.3f} M tokens/s in training, " if speed else ""
            done(
                f"round {number}, vector_size {config.vector_size}, epochs {config.epochs}: {name} "
                f"{outcome['seconds']:.2f} s, {training}{outcome['peak_rss_mb']:.0f} MB"
            )
    return results


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    add_choice(parser)
    parser.add_argument("--vector-size", type=int, action="append", metavar="N", help="repeat for more (default: 100)")
    parser.add_argument("--epochs", type=int, default=1, metavar="N", help="epochs of a run (default: 1)")
    parser.add_argument("--rounds", type=int, default=3, metavar="N", help="rounds (default: 3)")


def run(arguments: argparse.Namespace) -> None:
    """Measure every vector size on one text, and record every run."""
    vector_sizes = arguments.vector_size or [TrainConfig().vector_size]
    rounds = 1 if arguments.quick else arguments.rounds
    options = "".join(f" --vector-size {size}" for size in vector_sizes)
    options += f" --epochs {arguments.epochs}" * (arguments.epochs != 1)
    command = f"python -m bench peers{choice_of(arguments)}{options} --rounds {arguments.rounds}"
    found = systems.selection(arguments.systems, arguments.pword2vec)
    with text_of(arguments.corpus, tokens_of(arguments)) as (text, _, sizes):
        for size in vector_sizes:
            config = TrainConfig(vector_size=size, epochs=arguments.epochs, workers=usable_cores())
            configs = [replace(config, seed=seed) for seed in range(1, rounds + 1)]
            print(table(run_all("peers", command, found, text, sizes, configs, arguments.quick)))


# ------------------------------------------------------------------------------------------------------- the table


def values(lines: list[Record], key: str) -> list[float]:
    """Return one figure of every run that has it."""
    return [line[key] for line in lines if line[key] is not None]


Couple = tuple[Record, Record]  # a peer's run, and ours beside it


def couples(lines: list[Record], ours: list[Record]) -> list[Couple]:
    """Return the runs of a peer, each with that of ours beside it, or, in older results, that of the same round."""
    stood = {(line["batch"], line["round"], line.get("beside")): line for line in ours}
    found = []
    for line in lines:
        if line["system"] == OURS:
            continue
        for beside in (line["system"], None):
            if our := stood.get((line["batch"], line["round"], beside)):
                found.append((line, our))
                break
    return found


def seconds_outside(line: Record) -> float | None:
    """Return the seconds of a run outside training: start, reading and counting words, tables, saving."""
    return None if line["train_seconds"] is None else line["seconds"] - line["train_seconds"]


def ratios(found: list[Couple], figure: Callable[[Record], float | None]) -> list[float]:
    """Return a figure of the peer's runs over that of ours beside it, if both have it."""
    figures = [(figure(its), figure(our)) for its, our in found]
    return [its / our for its, our in figures if its is not None and our is not None]


def median_text(found: list[float], show: Callable[[float], str] = report.number) -> str:
    """Return the median, with the largest minus the smallest of several in brackets; an empty text for none."""
    spread = f" ({show(max(found) - min(found))})" if len(found) > 1 else ""
    return f"{show(statistics.median(found))}{spread}" if found else ""


def by_system(lines: list[Record]) -> dict[str, list[Record]]:
    """Return the runs of each system, in the order of `systems.SYSTEMS`."""
    order = [*systems.SYSTEMS, *(line["system"] for line in lines)]
    found = {name: [line for line in lines if line["system"] == name] for name in order}
    return {name: of for name, of in found.items() if of}


def programs(lines: list[Record]) -> str:
    """Return the sources and the builds of all systems."""
    made = {f"{name}: {', '.join(of[-1]['made'].values())}" for name, of in by_system(lines).items()}
    return f"{'; '.join(sorted(made))}."


def exceptions(lines: list[Record]) -> str:
    """Return the options and workers that differ between the programs."""
    names = by_system(lines)
    text = "; fastText defaults has its own options" if "fastText defaults" in names else ""
    if any(name.startswith("fastText") for name in names):
        threads = max(lines[-1]["config"]["workers"], systems.FASTTEXT_THREADS)
        text += f"; fastText has {threads} threads, without which some of its rows stay zeros"
    return text


def remarks(lines: list[Record]) -> str:
    """Return the lines below every table of such runs: the text, the load of the machine, the source."""
    last = lines[-1]
    config, corpus = last["config"], last["corpus"]
    shares = [100 * share for share in values(lines, "busy_elsewhere")]
    return (
        f"{corpus['tokens'] / 1e6:.3g} M words of {corpus['name']}, {corpus['words']:,} different ones; vector_size "
        f"{config['vector_size']}, window {config['window']}, negative {config['negative']}, sample "
        f"{config['sample']:g}, alpha {config['alpha']:g}, {config['workers']} workers{exceptions(lines)}. "
        f"Others used {statistics.median(shares):.0f} % of the machine during the runs (median; at most "
        f"{max(shares):.0f} %). "
        f"{report.source(*lines)}"
    )


def table(lines: list[Record]) -> str:
    """Return the table of one batch of one vector_size, in Markdown."""
    found = by_system(lines)
    ours = found.get(OURS, [])
    rows = []
    for name, of in found.items():
        pairs = couples(of, ours)
        rows.append([
            name,
            median_text(values(of, "seconds")),
            median_text(values(of, "tokens_per_s"), report.millions),
            median_text([seconds for line in of if (seconds := seconds_outside(line)) is not None]),
            median_text(values(of, "peak_rss_mb")),
            median_text(ratios(pairs, lambda line: line["seconds"])),
            median_text(ratios(pairs, lambda line: line["train_seconds"])),
            median_text(ratios(pairs, seconds_outside)),
            median_text(ratios(pairs, lambda line: line["peak_rss_mb"])),
        ])  # fmt: skip
    epochs = lines[-1]["config"]["epochs"]
    header = ["", "seconds, text to saved vectors", "M tokens/s in training", "seconds outside training"]
    header += ["peak memory, MB", "its seconds / fastw2v's", "in training", "outside training", "memory"]
    return (
        f"{report.markdown(header, rows)}\n\nMedians of {len({line['round'] for line in lines})} rounds, in brackets "
        f"the largest minus the smallest. A round runs each peer once and fastw2v beside each peer. A ratio divides "
        "the figure of a peer by that of fastw2v beside it. word2vec.c, fastText and gensim's corpus_file read the "
        "text "
        f"in each epoch of training; fastw2v converts it to ids before training. Outside training: start, reading, "
        f"counting, saving. "
        f"{epochs} epoch{'s' * (epochs != 1)}. {remarks(lines)}"
    )


def blocks() -> dict[str, str]:
    """Return the table of the newest batch of each vector_size, and the sources of the programs."""
    lines = report.full_records("peers")
    if not lines:
        return {}
    newest = {line["config"]["vector_size"]: line["batch"] for line in lines}
    return {
        f"peers-{size}": table(
            [line for line in lines if line["batch"] == newest[size] and line["config"]["vector_size"] == size]
        )
        for size in sorted(newest)
    } | {"peers-programs": programs([line for line in lines if line["batch"] in newest.values()])}
