"""``scaling``: how cost grows with the length of the text, and what more workers give and cost.

Lengths: synthetic texts of growing length have the same vocabulary; a shorter text is the beginning of a longer one.
Each is prepared and trained for one epoch, and each step is a command in a process of its own. The results are seconds,
peak memory, and the share of the planted twins and analogies that the model found. A pair of twins counts as found if
each is the nearest neighbour of the other.

Workers: both kernels train an epoch on 1, 2, 4, ... workers in turn, up to all cores, on ids in memory.

Scores: the same numbers of workers train a text for several epochs with several seeds. Workers share rows without
locks, so the scores show what lost and stale updates cost.
"""

import argparse
import itertools
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import fastw2v
from corpora import synthetic
from fastw2v import evaluate_analogies, evaluate_similarity, load
from fastw2v.config import TrainConfig
from fastw2v.machine import usable_cores
from fastw2v.vocab import Vocab

from . import fit, peers, quality, record, report, timing
from .command import cost
from .figure import COLOURS, Figure
from .ladder import corpus_for
from .steps import steps
from .timing import Ids, Timing

HELP = "texts of growing length: seconds, memory, fitted growth; 1, 2, 4, ... workers: speed and scores"
PARTS = ("lengths", "workers", "scores")
LENGTHS = (30_000_000, 100_000_000, 300_000_000)
WORKERS_TOKENS = {"pair": 2_000_000, "tile": 8_000_000}
VECTOR_SIZES = (100, 300)
WORDS = (80_000, 1_000_000)  # of the synthetic texts for the workers
QUICK = 100  # divisor of tokens and words

Steps = Callable[[str], None]  # ends a step of the progress bar with a line about it


def found(model: Path, text: Path, planted: synthetic.Planted) -> dict[str, float]:
    """Return the share of the planted answers that a model found, in per cent (twins and questions), or times 100."""
    embeddings = load(model)
    seen = [a for pair in planted.twins for a in pair if a in embeddings]  # A short text lacks some words.
    nearest = {a: embeddings.most_similar(a, topn=1)[0][0] for a in seen}
    mutual = [nearest.get(a) == b and nearest.get(b) == a for a, b in planted.twins]
    analogies, similarities = synthetic.answer_paths(text)
    return {
        "twins": round(100 * sum(mutual) / len(mutual), 1),
        "analogies": round(100 * (evaluate_analogies(embeddings, analogies)[-1].accuracy or 0), 1),
        "similarity": round(100 * (evaluate_similarity(embeddings, similarities).spearman or 0), 1),
    }


def measure_length(tokens: int, words: int, folder: Path) -> dict[str, Any]:
    """Write a text, prepare it and train on it."""
    text, prepared, model = folder / "text.txt", folder / "prepared", folder / "model"
    began = time.perf_counter()
    planted = synthetic.write(text, tokens=tokens, words=words)
    result: dict[str, Any] = {"tokens": tokens, "written_seconds": round(time.perf_counter() - began, 2)}
    result["text_mb"] = round(text.stat().st_size / 1e6)
    result["prepare"] = cost("prepare", text, "-o", prepared, "--min-count=1")
    result["train"] = cost("train", prepared, "-o", model, "--epochs=1")
    result["words"] = len(load(model))
    result["found"] = found(model, text, planted)
    return result


def growth(lengths: list[dict[str, Any]]) -> dict[str, Any]:
    """Return the exponents with which the seconds of each step grow with the tokens; {} of one length."""
    if len(lengths) < 2:
        return {}
    tokens = [length["tokens"] for length in lengths]
    return {
        step: fit.power_law(tokens, [length[step]["seconds"] for length in lengths]) for step in ("prepare", "train")
    }


def counts() -> list[int]:
    """Return 1, 2, 4, ... workers, and all of them."""
    cores = usable_cores()
    return sorted({1 << n for n in range(cores.bit_length()) if 1 << n <= cores} | {cores})


def measure_workers(corpus: Ids, kernel: str, config: TrainConfig, repeats: int) -> dict[str, Any]:
    """Train an epoch on each number of workers in turn; return tokens/s, and speed-ups within a repeat."""
    runs: dict[int, list[Timing]] = {count: [] for count in counts()}
    for _ in range(repeats):
        for count, each in runs.items():
            each.append(timing.train_kernel(kernel, corpus, config, count))

    def summaries(figure: Callable[[Timing, Timing], float]) -> dict[str, Any]:
        return {str(count): timing.summary(map(figure, each, runs[1])) for count, each in runs.items()}

    return {
        "kernel": kernel,
        "vector_size": config.vector_size,
        "words": corpus.n_words,
        "tokens": len(corpus.ids),
        "tokens_per_s": summaries(lambda run, one: run.tokens / run.seconds),
        "trained_per_s": summaries(lambda run, one: run.trained / run.seconds),
        "speed_up": summaries(lambda run, one: one.seconds / run.seconds),
    }


def measure_scores(
    prepared: Path, vocab: Vocab, similarity: list[Path], analogies: list[Path], seeds: int, report_step: Steps
) -> list[dict[str, Any]]:
    """Train both kernels on each number of workers with each seed, as a user does; return the scores of each run."""
    runs = []
    for seed, count, kernel in itertools.product(range(1, seeds + 1), counts(), WORKERS_TOKENS):
        model = fastw2v.train(prepared, workers=count, seed=seed, kernel=kernel, progress=False)
        scores = quality.scores(model, vocab, similarity, analogies)["scores"]
        run = {"kernel": kernel, "workers": count, "seed": seed, "seconds": model.metadata["progress"]["seconds"]}
        runs.append(run | {"scores": {name: facts["score"] for name, facts in scores.items()}})
        report_step(f"{kernel}, {count} workers, seed {seed}: {runs[-1]['seconds']} s, {runs[-1]['scores']}")
    return runs


# ------------------------------------------------------------------------------------------------------- the tables


def table(result: report.Record) -> str:
    """Return the table of the lengths of a ``scaling`` result, in Markdown."""
    lengths = result["lengths"]
    header = ["", *(f"{length['tokens'] / 1e6:g} M tokens" for length in lengths), "grows as tokens to the"]
    rows = [["text, MB", *(f"{length['text_mb']:,}" for length in lengths), ""]]
    rows.append(["distinct words", *(f"{length['words']:,}" for length in lengths), ""])
    for step, label in (("prepare", "prepare"), ("train", "train, one epoch")):
        exponent = fit.exponent_text(result["growth"][step]) if step in result["growth"] else ""
        rows.append([f"{label}: seconds", *(report.number(length[step]["seconds"]) for length in lengths), exponent])
        rates = [1e3 * length[step]["seconds"] / (length["tokens"] / 1e6) for length in lengths]
        rows.append([f"{label}: ns per token", *(report.number(rate) for rate in rates), ""])
        peaks = [report.number(length[step]["peak_rss_mb"]) for length in lengths]
        rows.append([f"{label}: peak memory, MB", *peaks, ""])
    for what, label in (
        ("twins", "planted twins found, %"),
        ("analogies", "planted analogies, %"),
        ("similarity", "similarity, 100 x Spearman"),
    ):
        rows.append([label, *(f"{length['found'][what]:.1f}" for length in lengths), ""])
    return f"{report.markdown(header, rows)}\n\nvector_size 100, min_count 1. {report.source(result)}"


def workers_table(results: list[report.Record]) -> str:
    """Return the table of the speeds of workers, of one ``scaling`` result per machine, in Markdown."""
    several = sorted({int(n) for result in results for point in result["workers"] for n in point["speed_up"]} - {1})

    def speed(point: dict[str, Any], name: str) -> str:
        return report.millions(point[name]["1"]["median"]) if name in point else ""

    def speed_up(point: dict[str, Any], count: int) -> str:
        ratio = point["speed_up"].get(str(count))
        return f"{report.number(ratio['median'])} ({report.number(ratio['spread'])})" if ratio else ""

    rows = [
        [
            f"{point['kernel']}, vector_size {point['vector_size']}, {point['words']:,} words",
            report.cpu(result),
            speed(point, "tokens_per_s"),
            speed(point, "trained_per_s"),
            *(speed_up(point, count) for count in several),
        ]
        for result in results
        for point in result["workers"]
    ]
    header = ["", "machine", "one worker, M tokens/s", "trained, M/s", *(f"{count} workers" for count in several)]
    return (
        f"{report.markdown(header, rows)}\n\nTimes the speed of one worker: the median of {repeats_text(results)} "
        "repeats, in brackets the largest minus the smallest. Trained tokens are those that subsampling keeps. "
        f"Corpus: {', '.join(dict.fromkeys(result['corpus'] for result in results))}. Two cores of a rented machine "
        "may be two threads of one physical core. `bench hogwild` is the former name of this measurement. "
        f"{report.source(*results)}"
    )


def repeats_text(results: list[report.Record]) -> str:
    """Return the numbers of repeats of several results."""
    return " or ".join(map(str, sorted({result["repeats"] for result in results})))


def scores_table(result: report.Record) -> str:
    """Return mean scores by kernel and number of workers, with standard errors, and the seconds of training."""
    facts = result["scores"]
    runs, corpus = facts["runs"], facts["corpus"]
    names = list(runs[0]["scores"])
    rows = []
    for kernel, count in dict.fromkeys((run["kernel"], run["workers"]) for run in runs):
        point = [run for run in runs if (run["kernel"], run["workers"]) == (kernel, count)]
        cells = []
        for name in names:
            scores = [run["scores"][name] for run in point if run["scores"][name] is not None]
            error = f" ± {statistics.stdev(scores) / len(scores) ** 0.5:.1f}" if len(scores) > 1 else ""
            cells.append(f"{statistics.fmean(scores):.1f}{error}" if scores else "")
        seconds = report.number(statistics.median(run["seconds"] for run in point))
        rows.append([kernel, str(count), *cells, seconds, str(len(point))])
    header = ["kernel", "workers", *(quality.LABELS.get(name, name) for name in names), "seconds", "seeds"]
    return (
        f"{report.markdown(header, rows)}\n\nMeans over the seeds with their standard errors. Seconds: the median time "
        f"of training alone. {facts['epochs']} epochs of {corpus['tokens'] / 1e6:.3g} M words of {corpus['name']}, "
        f"{corpus['words']:,} different ones. {report.source(result)}"
    )


def results_with(part: str) -> list[report.Record]:
    """Return the results that have a part, oldest first."""
    return [result for result in report.full_records("scaling") if part in result]


def blocks() -> dict[str, str]:
    """Return the newest tables; that of the workers has the newest result of each machine."""
    made = {}
    if results := results_with("lengths"):
        made["scaling"] = table(results[-1])
    if results := results_with("workers"):
        made["workers"] = workers_table(list({report.cpu(result): result for result in results}.values()))
    if results := results_with("scores"):
        made["workers-scores"] = scores_table(results[-1])
    return made


def figures() -> dict[str, Figure]:
    """Return the picture of the newest result: seconds and memory over the length of the text."""
    results = results_with("lengths")
    if not results:
        return {}
    lengths = results[-1]["lengths"]
    data = {
        "tokens": [length["tokens"] for length in lengths],
        **{step: [length[step] for length in lengths] for step in ("train", "prepare")},
    }
    text = "Seconds and peak memory over the length of the text: seconds grow with it, memory does not"
    return {"scaling": Figure(text, data, draw, size=(9, 3.4))}


def draw(canvas: Any, data: Any) -> None:
    """Draw both steps' seconds on the left, their memory on the right."""
    millions = [tokens / 1e6 for tokens in data["tokens"]]
    for axes, what, label in zip(
        canvas.subplots(1, 2), ("seconds", "peak_rss_mb"), ("seconds", "peak memory, MB"), strict=True
    ):
        for colour, (step, name) in zip(COLOURS, (("train", "train, one epoch"), ("prepare", "prepare")), strict=False):
            axes.plot(millions, [each[what] for each in data[step]], "o-", color=colour, label=name)
        axes.set_xlabel("million tokens")
        axes.set_ylabel(label)
        axes.set_xlim(left=0)
        axes.set_ylim(bottom=0)
        axes.legend(fontsize=9)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    parser.add_argument(
        "corpus", type=Path, nargs="?",
        help="a text for the workers, or without scores a prepared folder (default: synthetic)",
    )  # fmt: skip
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=PARTS, help=f"default: {' '.join(PARTS)}")
    parser.add_argument("--tokens", type=int, nargs="+", default=LENGTHS, metavar="N", help="default: 30, 100, 300 M")
    parser.add_argument("--words", type=int, default=1_000_000, metavar="N", help="default: 1000000")
    parser.add_argument("--repeats", type=int, default=3, metavar="N", help="of workers, or seeds (default: 3)")
    parser.add_argument("--scratch", type=Path, metavar="DIR", help="folder for the texts (default: that of tempfile)")
    parser.add_argument("--score-tokens", type=int, metavar="N", help="score the first N words only (default: all)")
    quality.add_files(parser)
    parser.add_argument("--quick", action="store_true", help="trial run: a hundredth of everything, once")


def command_of(arguments: argparse.Namespace) -> str:
    """Return the command line of these arguments."""
    name = f" {arguments.corpus.name}" if arguments.corpus else ""
    scored = f" --score-tokens {arguments.score_tokens}" * (arguments.score_tokens is not None)
    return (
        f"python -m bench scaling{name} --parts {' '.join(arguments.parts)} "
        f"--tokens {' '.join(map(str, arguments.tokens))} --words {arguments.words} --repeats {arguments.repeats}"
        f"{scored}{quality.files_of(arguments)}{' --quick' * arguments.quick}"
    )


def run(arguments: argparse.Namespace) -> None:
    """Measure the parts that were asked for, record them as one result and print the tables."""
    result: dict[str, Any] = {"quick": arguments.quick}
    for part in arguments.parts:
        result |= {"lengths": run_lengths, "workers": run_workers, "scores": run_scores}[part](arguments)
    written = record.append("scaling", command_of(arguments), result)
    tables = {"lengths": table, "workers": lambda one: workers_table([one]), "scores": scores_table}
    print("\n\n".join(make(written) for part, make in tables.items() if part in written))


def run_lengths(arguments: argparse.Namespace) -> dict[str, Any]:
    """Measure every length."""
    divisor = QUICK if arguments.quick else 1
    lengths = []
    with steps("scaling: lengths", len(arguments.tokens)) as done:
        for tokens in arguments.tokens:
            with tempfile.TemporaryDirectory(prefix="fastw2v-bench-", dir=arguments.scratch) as folder:
                lengths.append(measure_length(tokens // divisor, arguments.words // divisor, Path(folder)))
                done(str(lengths[-1]))
    return {"words": arguments.words // divisor, "lengths": lengths, "growth": growth(lengths)}


def run_workers(arguments: argparse.Namespace) -> dict[str, Any]:
    """Measure the speed of every number of workers."""
    divisor, repeats = (QUICK, 1) if arguments.quick else (1, arguments.repeats)
    workers = []
    vocabularies = WORDS[:1] if arguments.corpus or arguments.quick else WORDS
    with steps("scaling: workers", len(vocabularies) * len(VECTOR_SIZES) * len(WORKERS_TOKENS)) as done:
        for n_words, vector_size in itertools.product(vocabularies, VECTOR_SIZES):
            config = TrainConfig(vector_size=vector_size, epochs=1)
            for kernel, tokens in WORKERS_TOKENS.items():
                corpus = corpus_for(arguments.corpus, tokens // divisor, n_words)
                workers.append(measure_workers(corpus, kernel, config, repeats))
                done(f"{kernel}, vector_size {vector_size}, {corpus.n_words:,} words: {workers[-1]['speed_up']}")
    return {"repeats": repeats, "corpus": corpus.name, "workers": workers}


def run_scores(arguments: argparse.Namespace) -> dict[str, Any]:
    """Score the vectors of every number of workers; return nothing without evaluation files."""
    if arguments.corpus and not arguments.similarity + arguments.analogies:
        print("scores of your own text need --similarity or --analogies: skipped")
        return {}
    seeds = 1 if arguments.quick else arguments.repeats
    tokens = peers.QUICK_TOKENS if arguments.quick else arguments.score_tokens
    with peers.text_of(arguments.corpus, tokens) as (text, corpus, sizes):
        files = quality.evaluation_files(arguments, text)
        with steps("scaling: scores", seeds * len(counts()) * len(WORKERS_TOKENS)) as done:
            runs = measure_scores(text.with_name("prepared"), corpus.vocab, *files, seeds, done)
    return {"scores": {"corpus": sizes, "epochs": TrainConfig().epochs, "runs": runs}}
