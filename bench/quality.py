"""``quality``: the scores of the vectors of every program after the same work, beside its time and memory.

One evaluator (`fastw2v.evaluate_similarity`, `fastw2v.evaluate_analogies`) reads the saved vectors of all programs.
Each number of epochs with each seed is one round of `peers`. Every run is a process of its own (bench/systems.py), so
time and peak memory are those that a user sees. In a round fastw2v runs several times: the scores of the last run
count, and the times of all. Several numbers of epochs give the curve of score against time; each is a run of its own
with its own schedule of the learning rate.

Every run is its own line of results, so a bench of hours can be divided by systems, epochs and seeds.
"""

import argparse
import itertools
import math
import statistics
from pathlib import Path
from typing import Any, NamedTuple

from corpora import synthetic
from fastw2v import Embeddings, evaluate_analogies, evaluate_similarity
from fastw2v.config import TrainConfig
from fastw2v.machine import usable_cores
from fastw2v.vocab import Vocab

from . import peers, report, systems
from .figure import COLOURS, GREY, OURS, Figure
from .report import Record

HELP = "scores, time and memory of every peer's vectors after the same epochs, several seeds"
RESTRICT_VOCAB = 30_000
TIMES = ("seconds", "tokens_per_s", "words_per_s")
SEEN = 2.8  # A difference of more standard errors is beyond noise: Student's t, 95 %, three seeds each.
LITTLE = 0.1  # the largest share of the machine that others may use during a run whose times count
EPOCHS = (1, 5)  # those of the main table
ANALOGIES = "questions-words"
SIMLEX = "simlex999"
#: The scores in the tables, by the names of their files.
LABELS = {"wordsim353": "WordSim-353", SIMLEX: "SimLex-999", ANALOGIES: "Google analogies"}


def score_facts(score: float | None, attempted: int, total: int) -> dict[str, Any]:
    """Return one score in per cent, and the number of attempted questions of its file."""
    return {"score": None if score is None else round(100 * score, 2), "attempted": attempted, "total": total}


def scores(vectors: Embeddings, vocab: Vocab, similarity: list[Path], analogies: list[Path]) -> dict[str, Any]:
    """Evaluate the vectors of a run: 100 x Spearman's correlation, and per cent of the attempted analogies."""
    embeddings = systems.in_order(vectors, vocab)
    found = {}
    for path in similarity:
        pairs = evaluate_similarity(embeddings, path)
        found[path.stem] = score_facts(pairs.spearman, pairs.attempted, pairs.total)
    for path in analogies:
        questions = evaluate_analogies(embeddings, path, restrict_vocab=RESTRICT_VOCAB)[-1]
        found[path.stem] = score_facts(questions.accuracy, questions.attempted, questions.total)
    return {"restrict_vocab": RESTRICT_VOCAB, "scores": found}


def files_of(arguments: argparse.Namespace) -> str:
    """Return the options that name evaluation files, as words of a command line."""
    files = "".join(f" --similarity {path.name}" for path in arguments.similarity)
    return files + "".join(f" --analogies {path.name}" for path in arguments.analogies)


def add_files(parser: argparse.ArgumentParser) -> None:
    """Add the options that name evaluation files."""
    for name in ("--similarity", "--analogies"):
        parser.add_argument(name, type=Path, action="append", default=[], metavar="FILE", help="repeat for more")


def evaluation_files(arguments: argparse.Namespace, text: Path) -> tuple[list[Path], list[Path]]:
    """Return the files of similarities and of analogies; by default a synthetic text has planted answers."""
    if arguments.corpus is None and not arguments.similarity + arguments.analogies:
        analogies, similarity = synthetic.answer_paths(text)
        return [similarity], [analogies]
    return arguments.similarity, arguments.analogies


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    peers.add_choice(parser)
    add_files(parser)
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3], metavar="N", help="default: 1 2 3")
    parser.add_argument("--epochs", type=int, nargs="+", default=EPOCHS, metavar="N", help="default: 1 5")
    parser.add_argument("--vector-size", type=int, default=TrainConfig().vector_size, metavar="N", help="default: 100")


def run(arguments: argparse.Namespace) -> None:
    """Run, score and record; without evaluation files the planted answers of a synthetic text count."""
    found = systems.selection(arguments.systems, arguments.pword2vec)
    seeds, epochs = (
        (arguments.seeds[:1], arguments.epochs[:1]) if arguments.quick else (arguments.seeds, arguments.epochs)
    )
    command = (
        f"python -m bench quality{peers.choice_of(arguments)}{files_of(arguments)} "
        f"--epochs {' '.join(map(str, arguments.epochs))} --seeds {' '.join(map(str, arguments.seeds))} "
        f"--vector-size {arguments.vector_size}"
    )
    configs = [
        TrainConfig(vector_size=arguments.vector_size, epochs=count, seed=seed, workers=usable_cores())
        for seed in seeds
        for count in epochs
    ]
    with peers.text_of(arguments.corpus, peers.tokens_of(arguments)) as (text, corpus, sizes):
        similarity, analogies = evaluation_files(arguments, text)

        def look(vectors: Embeddings) -> dict[str, Any]:
            return scores(vectors, corpus.vocab, similarity, analogies)

        print(table(points(peers.run_all("quality", command, found, text, sizes, configs, arguments.quick, look))))


# ------------------------------------------------------------------------------------------------------ the tables


class Point(NamedTuple):
    """The runs of one system with one number of epochs.

    Attributes:
        system: its name.
        epochs: their number.
        lines: the newest run of each seed, whose memory counts.
        scored: all runs; those of one seed are averaged.
        timed: the runs whose times may be compared.
    """

    system: str
    epochs: int
    lines: list[Record]
    scored: list[Record]
    timed: list[Record]

    def figures(self, name: str) -> list[float]:
        """Return the scores of one file, one per seed, or ``peak_rss_mb``, or the times.

        ``words_per_s`` are the words of the text times the epochs over the seconds of the whole command.
        """
        if name == "words_per_s":
            return [self.epochs * line["corpus"]["tokens"] / line["seconds"] for line in self.timed]
        if name in TIMES:
            return peers.values(self.timed, name)
        if all(name in line for line in self.lines):
            return peers.values(self.lines, name)
        of_seed: dict[int, list[float]] = {}
        for line in self.scored:
            if (score := line["scores"].get(name, {"score": None})["score"]) is not None:
                of_seed.setdefault(line["seed"], []).append(score)
        return [statistics.fmean(scores) for _, scores in sorted(of_seed.items())]

    def mean(self, name: str) -> float:
        """Return the mean of `figures`; not a number without any."""
        found = self.figures(name)
        return statistics.fmean(found) if found else math.nan

    def median(self, name: str) -> float:
        """Return the median of `figures`; not a number without any."""
        found = self.figures(name)
        return statistics.median(found) if found else math.nan

    def error(self, name: str) -> float:
        """Return the standard error of `mean`; not a number for less than two figures."""
        found = self.figures(name)
        return statistics.stdev(found) / math.sqrt(len(found)) if len(found) > 1 else math.nan


def quiet_runs(lines: list[Record]) -> list[Record]:
    """Return the runs during which others used little of the machine."""
    return [line for line in lines if line["busy_elsewhere"] <= LITTLE]


def last_setting_runs() -> list[Record]:
    """Return all runs with the text, vector_size and workers of the last run."""
    lines = report.full_records("quality")

    def setting(line: Record) -> tuple[object, ...]:
        return line["corpus"], line["config"]["vector_size"], line["config"]["workers"]

    return [line for line in lines if setting(line) == setting(lines[-1])]


def key(line: Record) -> tuple[str, int, int]:
    """Return the system, epochs and seed of a run."""
    return line["system"], line["config"]["epochs"], line["seed"]


def newest_runs(lines: list[Record]) -> list[Record]:
    """Return the newest run of each system, epochs and seed."""
    return list({key(line): line for line in lines}.values())


def comparable_runs(lines: list[Record]) -> tuple[list[Record], list[Record]]:
    """Return the runs whose times may be compared: those in rounds in which several systems took turns, and all.

    Both are of one processor, the one on which most took turns. Of a system run again in turn the last batch counts.
    """
    systems_of: dict[tuple[str, int], set[str]] = {}
    for line in lines:
        systems_of.setdefault((line["batch"], line["round"]), set()).add(line["system"])
    turns = [line for line in lines if len(systems_of[line["batch"], line["round"]]) > 1]
    processor = statistics.mode(map(report.cpu, turns or lines))
    turns, alike = ([line for line in some if report.cpu(line) == processor] for some in (turns, lines))
    last = {key(line): line["batch"] for line in turns}
    of_last = {(*key(line), line.get("beside")): line for line in turns if last[key(line)] == line["batch"]}
    return list(of_last.values()), newest_runs(alike)


def points(lines: list[Record]) -> list[Point]:
    """Return the runs by epochs and system, with those of them whose times may be compared.

    Of runs in turn if some were undisturbed; else of undisturbed ones alone, if there are some.
    """
    turns, alike = comparable_runs(lines)
    found = []
    for epochs in sorted({line["config"]["epochs"] for line in lines}):
        of = peers.by_system([line for line in lines if line["config"]["epochs"] == epochs])
        for system, runs in of.items():
            in_turn, alone = ([line for line in some if key(line)[:2] == (system, epochs)] for some in (turns, alike))
            timed = quiet_runs(in_turn) or quiet_runs(alone) or in_turn or alone
            found.append(Point(system, epochs, sorted(newest_runs(runs), key=lambda run: run["seed"]), runs, timed))
    return found


def with_spread(point: Point, name: str) -> str:
    """Return a mean score with the spread in brackets."""
    found = point.figures(name)
    spread = f" ({max(found) - min(found):.1f})" if len(found) > 1 else ""
    return f"{point.mean(name):.1f}{spread}" if found else ""


def score_names(found: list[Point]) -> dict[str, str]:
    """Return the names of the scores of these runs, with their labels."""
    names = dict.fromkeys(name for point in found for line in point.lines for name in line["scores"])
    return {name: LABELS.get(name, name) for name in names}


def table(found: list[Point]) -> str:
    """Return the table of these runs, in Markdown."""
    rows, names = [], score_names(found)
    for point in found:
        seconds = point.figures("seconds")
        figures = [peers.median_text(seconds), str(len(seconds)), *(with_spread(point, name) for name in names)]
        memory = report.number(point.median("peak_rss_mb"))
        rows.append([point.system, str(point.epochs), *figures, str(len(point.lines)), memory])
    header = ["", "epochs", "seconds, text to saved vectors", "runs timed", *names.values(), "seeds"]
    header.append("peak memory, MB")
    return report.markdown(header, rows)


def is_ours(system: str) -> bool:
    """Return whether a system is this package."""
    return system.startswith("fastw2v")


def last_points(found: list[Point]) -> dict[str, Point]:
    """Return the runs with the most epochs, by system."""
    return {point.system: point for point in found}


def first_point_at(found: list[Point], score: float) -> Point | None:
    """Return the fastest of our runs whose mean analogies score is at least ``score``."""
    ours = [point for point in found if point.system == peers.OURS and point.figures("seconds")]
    reached = [point for point in ours if point.mean(ANALOGIES) >= score]
    return min(reached, key=lambda point: point.median("seconds"), default=None)


def time_to_score(found: list[Point]) -> str:
    """Return the table of the seconds in which we reach the last analogies score of each peer."""
    rows = []
    for system, last in last_points(found).items():
        if is_ours(system) or not last.figures(ANALOGIES) or not last.figures("seconds"):
            continue
        row = [system, str(last.epochs), report.number(last.median("seconds"))]
        row += [with_spread(last, ANALOGIES), with_spread(last, SIMLEX)]
        if point := first_point_at(found, last.mean(ANALOGIES)):
            ratio = last.median("seconds") / point.median("seconds")
            row += [str(point.epochs), report.number(point.median("seconds"))]
            row += [with_spread(point, ANALOGIES), with_spread(point, SIMLEX)]
            rows.append([*row, report.number(ratio)])
        else:
            rows.append([*row, "not reached", "", "", "", ""])
    header = ["", "its epochs", "its seconds", "its analogies", "its SimLex", "fastw2v's epochs", "seconds"]
    header += ["analogies", "SimLex", "ratio"]
    return report.markdown(header, rows)


# -------------------------------------------------------------------------------------------- where we are behind


def speed_deficits(found: list[Point]) -> list[str]:
    """Return the peers that train more tokens per second than our default, or save their vectors sooner."""
    remarks = []
    for ours, peer in opponents(found):
        for name, what, sign in (("tokens_per_s", "tokens per second in training", -1), ("seconds", "seconds", 1)):
            if sign * (ours.median(name) - peer.median(name)) > 0:
                remarks.append(f"{peer.system} is ahead on {what} after {epochs_text(peer)}")
    return remarks


def ingest_deficits(found: list[Point]) -> list[str]:
    """Return the peers that take less time outside training, of runs beside each other."""
    remarks = []
    for _, peer in opponents(found):
        shares = peers.ratios(run_pairs(found, peer), peers.seconds_outside)
        if shares and (share := statistics.median(shares)) < 1:
            remarks.append(f"{peer.system} takes {share:.2f} of our seconds ({epochs_text(peer)})")
    return remarks


def run_pairs(found: list[Point], peer: Point) -> list[peers.Couple]:
    """Return the timed runs of a peer, each with the one of ours beside it, or in the same round."""
    ours = [line for point in found if point.system == peers.OURS for line in point.timed]
    return peers.couples(peer.timed, ours)


def time_deficits(found: list[Point]) -> list[str]:
    """Return which peer's last analogies score we reach later than it does, or never."""
    remarks = []
    for system, last in last_points(found).items():
        if is_ours(system) or not last.figures(ANALOGIES) or not last.figures("seconds"):
            continue
        point = first_point_at(found, last.mean(ANALOGIES))
        if point is None:
            most = max((of.epochs for of in found if of.system == peers.OURS), default=0)
            remarks.append(
                f"the analogies score of {system} after {epochs_text(last)} is not reached by the mean of our runs "
                f"of up to {most} epochs"
            )
        elif point.median("seconds") >= last.median("seconds"):
            remarks.append(f"the analogies score of {system} after {epochs_text(last)} is reached later than by it")
    return remarks


def memory_deficits(found: list[Point]) -> list[str]:
    """Return the peers that take less memory."""
    remarks = []
    for ours, peer in opponents(found):
        our_peak, peer_peak = ours.median("peak_rss_mb"), peer.median("peak_rss_mb")
        if peer_peak < our_peak:
            remarks.append(f"{peer.system} {peer_peak:.0f} MB to our {our_peak:.0f} ({epochs_text(peer)})")
    return [f"less memory at the peak is taken by {', '.join(remarks)}"] if remarks else []


class Difference(NamedTuple):
    """How much higher a peer's mean score is than ours after as many epochs, and the standard error of that."""

    peer: Point
    label: str
    ahead: float
    error: float

    @property
    def seen(self) -> bool:
        """Whether it is more than `SEEN` standard errors, either way; never with one seed."""
        return abs(self.ahead) > SEEN * self.error

    def __str__(self) -> str:
        return f"{self.peer.system} on {self.label} after {epochs_text(self.peer)}, by {self.text()}"

    def text(self) -> str:
        """Return the difference with its standard error, if there is one."""
        return f"{self.ahead:+.1f} ± {self.error:.1f}" if math.isfinite(self.error) else f"{self.ahead:+.1f}"


def differences(found: list[Point]) -> list[Difference]:
    """Return the difference of every peer, number of epochs and score from our default's."""
    return [
        Difference(peer, label, peer.mean(name) - ours.mean(name), math.hypot(peer.error(name), ours.error(name)))
        for ours, peer in opponents(found)
        for name, label in score_names(found).items()
        if peer.figures(name) and ours.figures(name)
    ]


def score_deficits(found: list[Point]) -> list[str]:
    """Return on which scores a peer's mean is above ours: those that are seen beyond noise, and those that are not."""
    above = [difference for difference in differences(found) if difference.ahead > 0]
    seen = "; ".join(str(difference) for difference in above if difference.seen)
    unseen = "; ".join(str(difference) for difference in above if not difference.seen)
    remarks = [f"ahead is {seen}"] if seen else []
    return remarks + ([f"higher, but not beyond noise, is {unseen}"] if unseen else [])


def table_of_differences(found: list[Point]) -> str:
    """Return the table of `differences`, in Markdown."""
    names = list(score_names(found).values())
    rows = []
    for peer in dict.fromkeys((of.peer.system, of.peer.epochs) for of in differences(found)):
        of = {each.label: each for each in differences(found) if (each.peer.system, each.peer.epochs) == peer}
        rows.append([peer[0], str(peer[1]), *(of[name].text() if name in of else "" for name in names)])
    return report.markdown(["peer minus fastw2v", "epochs", *names], rows)


def opponents(found: list[Point]) -> list[tuple[Point, Point]]:
    """Return our default's runs beside those of each peer with as many epochs."""
    ours = {point.epochs: point for point in found if point.system == peers.OURS}
    return [(ours[peer.epochs], peer) for peer in found if not is_ours(peer.system) and peer.epochs in ours]


def epochs_text(point: Point) -> str:
    """Return a number of epochs with the word."""
    return f"{point.epochs} epoch{'s' * (point.epochs != 1)}"


def deficits(found: list[Point]) -> str:
    """Return, in plain words, the measures on which our default is not ahead of every peer."""
    aspects = {
        "Speed": speed_deficits(found),
        "Ingest": ingest_deficits(found),
        "Time to a peer's last analogies score": time_deficits(found),
        "Memory": memory_deficits(found),
        "Scores": score_deficits(found),
    }
    remarks = [f"- {name}: {'; '.join(each)}." for name, each in aspects.items() if each]
    fine = [name.lower() for name, each in aspects.items() if not each]
    noise = (
        "The number after ± is the standard error of a difference of means over the seeds. Beyond noise means more "
        f"than {SEEN} standard errors (95 % with three seeds each), so few seeds show large differences only. Ingest "
        "is everything outside training: start, reading and counting the text, saving."
    )
    if not remarks:
        return f"On this text no peer is ahead of fastw2v's default kernel in {', '.join(fine)}. {noise}"
    text = "Where fastw2v's default kernel is not ahead of every peer on this text:\n\n" + "\n".join(remarks)
    return text + (f"\n\nNo peer is ahead in: {', '.join(fine)}." if fine else "") + f"\n\n{noise}"


def summary(found: list[Point]) -> str:
    """Return README's table: the runs with the most epochs of `EPOCHS`, without spreads."""
    epochs = max(point.epochs for point in found)
    last = [point for point in found if point.epochs == epochs]
    names = score_names(last)
    rows = [
        [
            point.system,
            report.number(point.median("seconds")) if point.figures("seconds") else "",
            *(f"{point.mean(name):.1f}" if point.figures(name) else "" for name in names),
            report.number(point.median("peak_rss_mb")),
        ]
        for point in last
    ]
    header = ["", "seconds, text to saved vectors", *names.values(), "peak memory, MB"]
    line = last[0].lines[0]
    text, config = line["corpus"], line["config"]
    return (
        f"{report.markdown(header, rows)}\n\n{text['tokens'] / 1e6:,.0f} M words of {text['name']}, {epochs} epochs, "
        f"vector_size {config['vector_size']}, {config['workers']} workers. Seconds and memory are medians, scores are "
        f"means over the seeds. {report.processor(line)}"
    )


def blocks() -> dict[str, str]:
    """Return README's table, that of all epochs, that of time to a score, and where we are behind."""
    lines = last_setting_runs()
    if not lines:
        return {}
    found = points(lines)
    few = [point for point in found if point.epochs in EPOCHS]
    remark = (
        "Scores are means over the seeds, with the largest minus the smallest in brackets; a seed that was run more "
        "than once counts as the mean of its runs. They are 100 x Spearman, and per cent of the attempted Google "
        f"analogies (restrict-vocab {RESTRICT_VOCAB:,}). Memory is the median of the newest runs. Times are medians "
        "over the runs in turn during which other processes used at most "
        f"{100 * LITTLE:.0f} % of the machine. Where no run in turn was that quiet, they are medians over quiet runs "
        "alone, else over all runs; `runs timed` is their number. All runs used one processor."
    )
    caption = f"{remark} {peers.remarks(newest_runs(lines))}"
    made = {"quality": f"{table(few)}\n\n{caption}", "behind": deficits(found)}
    if few:
        made["summary"] = summary(few)
    made["quality-programs"] = peers.programs(lines)
    if rows := table_of_differences(few):
        made["quality-differences"] = (
            f"{rows}\n\nMeans of the scores, a peer's minus ours, with the standard error of the difference. With "
            f"three seeds a difference under {SEEN} standard errors is no proof of one."
        )
    if few != found:
        made["quality-all"] = f"{table(found)}\n\n{remark}"
    if rows := time_to_score(found):
        ours = ", ".join(str(point.epochs) for point in found if point.system == peers.OURS)
        made["time-to-score"] = (
            f"{rows}\n\nOurs: the fastest runs, of {ours} epochs, whose mean analogies score is at least that of the "
            "peer. Runs of other epochs than 1 and 5 ran alone. A peer that reaches its score with fewer epochs than "
            "it was given would have a smaller ratio."
        )
    return made


# ---------------------------------------------------------------------------------------------------- the pictures


def speed(found: list[Point]) -> Figure:
    """Return the picture of the whole command's speed, of the runs with the most epochs of the main table."""
    epochs = max(point.epochs for point in found)
    of = {point.system: point for point in found if point.epochs == epochs and point.figures("seconds")}
    bars = []
    for system, point in sorted(of.items(), key=lambda item: -item[1].median("words_per_s")):
        rates = [rate / 1e6 for rate in point.figures("words_per_s")]
        ratios = peers.ratios(run_pairs(found, point), lambda line: line["seconds"])
        bars.append({
            "system": system, "median": round(statistics.median(rates), 3), "least": round(min(rates), 3),
            "most": round(max(rates), 3), "ours_over_its": [round(ratio, 2) for ratio in ratios],
        })  # fmt: skip
    config, corpus = found[0].lines[0]["config"], found[0].lines[0]["corpus"]
    title = (
        f"From text to saved vectors: {corpus['tokens'] / 1e6:.3g} M words, {epochs} epochs, vector_size "
        f"{config['vector_size']}, {config['workers']} workers"
    )
    speeds = ", ".join(f"{bar['system']} {bar['median']:.2f}" for bar in bars)
    return Figure(f"{title}, million words per second: {speeds}", {"title": title, "bars": bars}, draw_speed, png=True)


def draw_speed(canvas: Any, data: Any) -> None:
    """Draw one bar per system, the fastest on top, with a line from the slowest to the fastest run."""
    axes = canvas.subplots()
    bars = data["bars"][::-1]
    colours = [OURS if is_ours(bar["system"]) else GREY for bar in bars]
    axes.barh([bar["system"] for bar in bars], [bar["median"] for bar in bars], color=colours)
    for place, bar in enumerate(bars):
        axes.plot([bar["least"], bar["most"]], [place, place], color="#222222", linewidth=1.2)
        label = f"{bar['median']:.2f}"
        if ratios := bar["ours_over_its"]:
            label += f"   fastw2v, same round, {report.number(statistics.median(ratios))} times as fast"
            if len(ratios) > 1:
                label += f" ({report.number(min(ratios))} to {report.number(max(ratios))})"
        axes.annotate(label, (bar["most"], place), (6, 0), textcoords="offset points", va="center")
    axes.set_xlim(0, 1.12 * max(bar["most"] for bar in bars))
    axes.grid(axis="y", visible=False)
    axes.set_xlabel("million words per second: words of the text x epochs / seconds of the whole command")
    axes.set_title(data["title"])


def over_time(found: list[Point]) -> Figure:
    """Return the picture of the analogies score over the seconds of the whole command."""
    lines: dict[str, list[dict[str, float]]] = {}
    for system in peers.by_system([line for point in found for line in point.lines]):
        for point in found:
            if point.system == system and point.figures("seconds") and (scores := point.figures(ANALOGIES)):
                mean = round(point.mean(ANALOGIES), 2)
                lines.setdefault(system, []).append({
                    "epochs": point.epochs, "seconds": point.median("seconds"), "mean": mean,
                    "least": min(scores), "most": max(scores),
                })  # fmt: skip
    text = (
        f"{LABELS[ANALOGIES]} over the seconds of the whole command, one line per system through its numbers of "
        f"epochs; means of the seeds, lines from the lowest to the highest"
    )
    return Figure(text, lines, draw_over_time, size=(8, 3.7), png=True)


def draw_over_time(canvas: Any, data: Any) -> None:
    """Draw one line per system, with a logarithmic axis of seconds and the epochs at each point."""
    axes = canvas.subplots()
    for colour, (system, dots) in zip(itertools.cycle(COLOURS), data.items(), strict=False):
        seconds, means = [dot["seconds"] for dot in dots], [dot["mean"] for dot in dots]
        spread = [[dot["mean"] - dot["least"] for dot in dots], [dot["most"] - dot["mean"] for dot in dots]]
        axes.errorbar(seconds, means, yerr=spread, fmt="o-", capsize=3, color=colour, label=system)
        for dot in dots:
            axes.annotate(
                f"{dot['epochs']}", (dot["seconds"], dot["mean"]), (-5, 5), textcoords="offset points", ha="right",
                color=colour, fontsize=8,
            )  # fmt: skip
    axes.set_xscale("log")
    axes.xaxis.set_major_formatter("{x:g}")
    axes.set_xlabel("seconds, text to saved vectors (at each point: its epochs)")
    axes.set_ylabel(f"{LABELS[ANALOGIES]}, % right")
    axes.set_title("Quality over time: further left is sooner, higher is better")
    canvas.legend(loc="outside right upper", fontsize=9)  # lines may be anywhere between the axes


def figures() -> dict[str, Figure]:
    """Return the newest pictures."""
    lines = last_setting_runs()
    found = points(lines)
    made = {}
    if few := [point for point in found if point.epochs in EPOCHS]:
        made["speed"] = speed(few)
    if any(point.figures(ANALOGIES) for point in found):
        made["quality_over_time"] = over_time(found)
    return made
