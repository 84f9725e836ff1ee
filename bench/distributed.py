"""``distributed``: what it costs in quality, bytes and time to train on nodes and merge their models.

Merging: replicas of one worker each train by rounds in one process (bench/replicas.py). So the rate and the number of
rounds can be chosen without a cluster. Scores are those of ``quality``, beside the scores of one node.

Ray: ``fastw2v.distributed.train_ray`` runs nodes as real processes on the cores of this machine. They take turns with
one node that has all cores. The results are tokens per second, scores, and the bytes that nodes exchange.
"""

import argparse
import importlib.util
import statistics
import tempfile
import time
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

import fastw2v
from fastw2v import Embeddings
from fastw2v.config import TrainConfig
from fastw2v.distributed.merging import add_delta, mean, rate, take_delta
from fastw2v.machine import usable_cores
from fastw2v.text.corpus import Corpus

from . import peers, quality, record, replicas, report, systems, timing
from .quality import Point
from .replicas import Plan
from .report import Record
from .steps import steps

HELP = "merged replicas: their scores, and nodes on Ray beside one node"
EPOCHS = 5
PARTS = ("merging", "ray")

# ------------------------------------------------------------------------------------------------------ measurements

ROUNDS, HOT_ROWS, FULL_EVERY = 6, 8192, 6  # rounds per epoch, times the nodes
PASS_ROWS = 100_000
ONE = {"nodes": 1}  # the plan without replicas


def passes(repeats: int, rows: int = PASS_ROWS, columns: int = 100, nodes: int = 4) -> dict[str, Any]:
    """Time what a node does with its rows in a round, on one thread: take all, merge ``nodes`` times a part, add all.

    Returns:
        milliseconds: of each step, of `merging.mean`; bytes_per_s: bytes of rows processed, counted once per step.
    """
    rng = np.random.default_rng(0)
    base, current, out = (rng.random((rows, columns), np.float32) for _ in range(3))
    deltas, touched = [base.copy() for _ in range(nodes)], [np.ones(rows, np.uint8) for _ in range(nodes)]
    part = slice(0, rows // nodes)
    steps_of = {
        "take": lambda: take_delta(current, base, deltas[0], touched[0]),
        "merge": lambda: mean([delta[part] for delta in deltas], [of[part] for of in touched], out[part]),
        "add": lambda: add_delta(base, out, current),
    }
    times: dict[str, list[float]] = {name: [] for name in steps_of}
    for repeat in range(repeats + 1):  # The first call compiles.
        for name, step in steps_of.items():
            began = time.perf_counter()
            step()
            if repeat:
                times[name].append(time.perf_counter() - began)
    together = [sum(each) for each in zip(*times.values(), strict=True)]
    return {
        "rows": rows,
        "columns": columns,
        "nodes": nodes,
        "milliseconds": {name: timing.summary(1e3 * each for each in found) for name, found in times.items()},
        "bytes_per_s": timing.summary(3 * 4 * rows * columns / seconds for seconds in together),
    }


def plans_of(arguments: argparse.Namespace) -> list[Plan | None]:
    """Return the plans to train by; None is one node, as `fastw2v.train` trains."""
    found: list[Plan | None] = []
    for nodes in arguments.nodes:
        if nodes == 1:
            found.append(None)
            continue
        for times in dict.fromkeys(rate(nodes) if x == "rule" else float(x) for x in arguments.rates):
            for rounds in arguments.rounds:
                found.append(Plan(nodes, times, rounds * nodes, arguments.hot_rows, arguments.full_every))
    return found


def train(prepared: Path, corpus: Corpus, config: TrainConfig, plan: Plan | None) -> Embeddings:
    """Train on one node with all cores, or on replicas of one worker each."""
    if plan is not None:
        return replicas.train(corpus, config, plan)
    return fastw2v.train(prepared, progress=False, seed=config.seed, **systems.shared_options(config))


def on_ray(prepared: Path, output: Path, config: TrainConfig, nodes: int) -> dict[str, Any]:
    """Train on Ray nodes, each with its share of the cores (at least one); return the records of the rounds.

    Returns:
        seconds: time of the whole call, with Ray's start; tokens_per_s: from the first round's start to the last one's
        end; exchanging: the share of that time in which nodes exchanged rows; rounds and bytes: per epoch, bytes
        between all nodes.
    """
    from fastw2v.distributed import train_ray

    workers = max(usable_cores() // nodes, 1)
    options = systems.shared_options(config) | {"workers": workers, "seed": config.seed}
    began = time.perf_counter()
    if nodes == 1:
        model = fastw2v.train(prepared, output=output, progress=False, **options)
    else:
        model = train_ray(prepared, output=output, nodes=nodes, progress=False, **options)
    seconds, metrics, total = time.perf_counter() - began, model.metrics, model.metadata["progress"]["tokens"]
    exchanging = sum(line.get("seconds_exchanging", 0.0) for line in metrics)
    return {
        "nodes": nodes,
        "workers": workers,
        "seconds": round(seconds, 2),
        "tokens_per_s": round(total / metrics[-1]["seconds"]),
        "exchanging": round(exchanging / metrics[-1]["seconds"], 4),
        "rounds": len(metrics) / config.epochs,
        "bytes": sum(line.get("bytes_exchanged", 0) for line in metrics) / config.epochs,
    }


# ------------------------------------------------------------------------------------------------------- the tables


def newest_runs(part: str) -> list[Record]:
    """Return the runs with the text and vector_size of the last run."""
    lines = [line for line in report.full_records("distributed") if line["part"] == part]

    def setting(line: Record) -> tuple[object, ...]:
        return line["corpus"], line["config"]["vector_size"], line["config"]["epochs"]

    return [line for line in lines if setting(line) == setting(lines[-1])]


def points(lines: list[Record]) -> list[Point]:
    """Return the runs by plan, in the order of nodes, then of their first runs.

    All runs of a seed have scores; the newest has times.
    """
    found: dict[str, list[Record]] = {}
    for line in lines:
        plan = {"merge": "mean"} | line["plan"]  # Older results may have another merge.
        found.setdefault(str(plan), []).append(line)
    made = []
    for name, of in found.items():
        newest = {line["seed"]: line for line in of}
        made.append(Point(name, EPOCHS, [newest[seed] for seed in sorted(newest)], of, of))
    return sorted(made, key=lambda point: point.lines[0]["plan"]["nodes"])


def one_node(found: list[Point]) -> Point | None:
    """Return the runs on one node, if there are any."""
    return next((point for point in found if point.lines[0]["plan"]["nodes"] == 1), None)


def score_cells(point: Point, one: Point | None, names: Iterable[str]) -> list[str]:
    """Return mean scores with spreads, and their differences from those of one node."""
    cells = []
    for name in names:
        difference = f", {point.mean(name) - one.mean(name):+.1f}" if one not in (None, point) else ""
        cells.append(quality.with_spread(point, name) + difference)
    return cells


def merging_table(lines: list[Record]) -> str:
    """Return the table of replicas merged in one process, in Markdown."""
    found = points(lines)
    names, one = quality.score_names(found), one_node(found)
    rows = []
    for point in found:
        plan, how = point.lines[0]["plan"], [""] * 4
        if plan["nodes"] > 1:
            which = f"{plan['hot_rows']:,} / {plan['full_every']}"
            how = [plan.get("merge", "mean"), f"{plan['rate']:.3g}", f"{plan['rounds']}", which]
        rows.append([str(plan["nodes"]), *how, *score_cells(point, one, names), str(len(point.lines))])
    header = ["nodes", "merge", "alpha times", "rounds per epoch", "hot rows / all every", *names.values(), "seeds"]
    return report.markdown(header, rows)


def caption(lines: list[Record]) -> str:
    """Return the lines below a table of runs: the scores, the text, the options and the source."""
    config, corpus = lines[-1]["config"], lines[-1]["corpus"]
    return (
        "Scores: the mean over the seeds, in brackets the largest minus the smallest, then the difference from one "
        "node. Several runs of one seed count as their mean. Speed: of the newest runs, which took turns. Scores "
        "are 100 x "
        f"Spearman, and per cent of the attempted Google analogies (restrict-vocab {quality.RESTRICT_VOCAB:,}). "
        f"{corpus['tokens'] / 1e6:.3g} M words of {corpus['name']}, {corpus['words']:,} different ones; vector_size "
        f"{config['vector_size']}, {config['epochs']} epochs, alpha {config['alpha']:g}. {report.source(*lines)}"
    )


def ray_table(lines: list[Record]) -> str:
    """Return the table of nodes on Ray, in Markdown."""
    found = points(lines)
    names, one = quality.score_names(found), one_node(found)
    rows = []
    for point in found:
        plan, runs = point.lines[0]["plan"], [line["run"] for line in point.lines]
        speeds = [run["tokens_per_s"] for run in runs]
        alone = {line["seed"]: line["run"]["tokens_per_s"] for line in one.lines} if one else {}
        shares = [
            100 * line["run"]["tokens_per_s"] / alone[line["seed"]] for line in point.lines if line["seed"] in alone
        ]
        rounds = statistics.median(run["rounds"] for run in runs)
        moved = statistics.median(run["bytes"] for run in runs)
        exchanging = 100 * statistics.median(run["exchanging"] for run in runs)
        several = plan["nodes"] > 1
        rows.append([
            f"{plan['nodes']} of {plan['workers']} worker{'s' * (plan['workers'] > 1)}",
            peers.median_text(speeds, report.millions),
            peers.median_text(shares) if several else "",
            report.number(exchanging) if several else "",
            report.number(rounds) if several else "",
            report.number(moved / rounds / 1e6) if several else "",
            *score_cells(point, one, names),
            str(len(point.lines)),
        ])  # fmt: skip
    header = [
        "nodes", "M tokens/s", "% of one node", "exchanging, %", "rounds per epoch", "MB per round, all nodes",
        *names.values(), "seeds",
    ]  # fmt: skip
    return report.markdown(header, rows)


def passes_table(line: Record) -> str:
    """Return the table of the passes over the rows at the end of a round, in Markdown."""
    found = line["passes"]
    return (
        f"{report.medians(['pass', 'milliseconds'], found['milliseconds'])}\n\nEach node takes the delta of "
        f"all rows, merges its part of the rows of {found['nodes']} nodes, and adds the merged delta. One thread, "
        f"{found['rows']:,} rows of {found['columns']} columns; all passes together process "
        f"{report.number(found['bytes_per_s']['median'] / 1e9)} GB of rows per second. {report.source(line)}"
    )


def blocks() -> dict[str, str]:
    """Return the newest tables."""
    made = {}
    if lines := newest_runs("merging"):
        made["merging"] = f"{merging_table(lines)}\n\n{caption(lines)}"
    if lines := newest_runs("ray"):
        made["distributed"] = f"{ray_table(lines)}\n\n{caption(lines)}"
    measured = [line for line in report.full_records("distributed") if line["part"] == "passes"]
    if measured:
        made["merging-passes"] = passes_table(measured[-1])
    return made


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    parser.add_argument("corpus", type=Path, nargs="?", help="a text file, one sentence per line (default: synthetic)")
    parser.add_argument("--tokens", type=int, metavar="N", help="only the first N words (default: all)")
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=PARTS, help=f"default: {' '.join(PARTS)}")
    parser.add_argument("--nodes", type=int, nargs="+", default=[1, 2, 4], metavar="N", help="default: 1 2 4")
    parser.add_argument(
        "--rates", nargs="+", default=["rule"], metavar="X",
        help="factors of alpha, for the part merging; 'rule': by merging.rate (default)",
    )  # fmt: skip
    parser.add_argument(
        "--rounds", type=int, nargs="+", default=[ROUNDS], metavar="N",
        help=f"rounds per epoch and node, for the part merging (default: {ROUNDS})",
    )  # fmt: skip
    parser.add_argument(
        "--hot-rows", type=int, default=HOT_ROWS, metavar="N", help=f"rows merged in every round (default: {HOT_ROWS})"
    )
    parser.add_argument(
        "--full-every",
        type=int,
        default=FULL_EVERY,
        metavar="N",
        help=f"rounds between merges of all rows (default: {FULL_EVERY})",
    )
    parser.add_argument("--epochs", type=int, default=EPOCHS, metavar="N", help=f"default: {EPOCHS}")
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3], metavar="N", help="default: 1 2 3")
    parser.add_argument("--vector-size", type=int, default=TrainConfig().vector_size, metavar="N", help="default: 100")
    quality.add_files(parser)
    parser.add_argument("--quick", action="store_true", help=f"trial run: {peers.QUICK_TOKENS:,} words, one epoch")


def command_of(arguments: argparse.Namespace) -> str:
    """Return the command line of these arguments."""
    words = f" {arguments.corpus.name}" if arguments.corpus else ""
    words += f" --tokens {arguments.tokens}" * (arguments.tokens is not None)
    for name in ("parts", "nodes", "rates", "rounds", "seeds"):
        words += f" --{name} {' '.join(map(str, getattr(arguments, name)))}"
    for name in ("hot_rows", "full_every", "epochs", "vector_size"):
        words += f" --{name.replace('_', '-')} {getattr(arguments, name)}"
    return f"python -m bench distributed{words}{quality.files_of(arguments)}{' --quick' * arguments.quick}"


def run(arguments: argparse.Namespace) -> None:
    """Train by every plan with every seed, and record each run; the merging passes are timed first."""
    if "ray" in arguments.parts and importlib.util.find_spec("ray") is None:
        print("the part ray needs Ray: pip install -e '.[ray]'")
        arguments.parts = [part for part in arguments.parts if part != "ray"]
    seeds = arguments.seeds[:1] if arguments.quick else arguments.seeds
    command, plans = command_of(arguments), plans_of(arguments)
    cores = usable_cores()
    basis = TrainConfig(
        vector_size=arguments.vector_size, epochs=1 if arguments.quick else arguments.epochs, workers=cores
    )

    def written(part: str, **found: Any) -> Record:
        return record.append("distributed", command, {"part": part, "quick": arguments.quick, **found})

    with peers.text_of(arguments.corpus, peers.tokens_of(arguments)) as (text, corpus, sizes):
        similarity, analogies = quality.evaluation_files(arguments, text)
        prepared = text.parent / "prepared"
        count = len(seeds) * sum({"merging": len(plans), "ray": len(arguments.nodes)}[part] for part in arguments.parts)
        with steps("distributed", count) as done:
            if "merging" in arguments.parts:
                written("passes", passes=passes(3 if arguments.quick else 9))
            for seed in seeds:
                config = replace(basis, seed=seed)
                about = {"seed": seed, "config": systems.shared_options(config), "corpus": sizes}

                def scores(vectors: Embeddings) -> dict[str, Any]:
                    return quality.scores(vectors, corpus.vocab, similarity, analogies)

                for plan in plans if "merging" in arguments.parts else []:
                    vectors = train(prepared, corpus, config, plan)
                    facts = ONE if plan is None else plan._asdict()
                    found = written("merging", plan=facts, **about, **scores(vectors))
                    done(f"seed {seed}, {facts}: {scores_text(found)}")
                for nodes in arguments.nodes if "ray" in arguments.parts else []:
                    with tempfile.TemporaryDirectory(prefix="fastw2v-bench-") as folder:
                        outcome = on_ray(prepared, Path(folder) / "model", config, nodes)
                        vectors = fastw2v.load(Path(folder) / "model")
                        facts = {"nodes": nodes, "workers": outcome["workers"]}
                        found = written("ray", plan=facts, run=outcome, **about, **scores(vectors))
                    done(f"seed {seed}, {outcome}: {scores_text(found)}")
    print("\n\n".join(blocks().values()))


def scores_text(found: Record) -> str:
    """Return the scores of a run in a few words."""
    return ", ".join(f"{name} {of['score']}" for name, of in found["scores"].items())
