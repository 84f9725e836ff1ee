"""Training on several nodes, which here are real processes of Ray on this machine: what they learn, and who may die."""

import json
import math
import os
import signal
import subprocess
import sys
import time
import zlib
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from conftest import planted_sentences, topic_purity

import fastw2v
from fastw2v.cli import main
from fastw2v.distributed import node, rounds
from fastw2v.distributed.node import Node
from fastw2v.training.ledger import length, union
from fastw2v.training.run import Run

pytestmark = pytest.mark.ray

EPOCHS = 3
OPTIONS = {"vector_size": 20, "epochs": EPOCHS, "workers": 1, "sample": 0}


@pytest.fixture(scope="session")
def cluster():
    """A Ray of four cores, to which machines of its own kind can be added."""
    os.environ["RAY_DEDUP_LOGS_SKIP_REGEX"] = "."
    pytest.importorskip("ray")
    from ray.cluster_utils import Cluster

    head = {"num_cpus": 4, "include_dashboard": False, "object_store_memory": 150_000_000}
    cluster = Cluster(initialize_head=True, head_node_args=head)
    import ray

    ray.init(address=cluster.address, log_to_driver=False, logging_level="ERROR")
    yield cluster
    ray.shutdown()
    cluster.shutdown()


@pytest.fixture(scope="session")
def prepared(tmp_path_factory):
    """120,000 tokens, 12 blocks: a lease is one or more of them."""
    folder = tmp_path_factory.mktemp("planted") / "prepared"
    fastw2v.prepare(planted_sentences(15_000), folder, min_count=1, progress=False)
    return folder


def train(corpus, output, node_class=Node, *, resume=False, minutes=10.0, init_from=None, progress=True, **given):
    """Call `train_ray` with nodes of this class; short rounds, and an exchange of all rows every third."""
    exchange = {
        "nodes": 2, "address": None, "min_nodes": None, "hot_rows": 20, "full_every": 3,
        "round_tokens": 10_000, "round_timeout_s": 60.0,
    }  # fmt: skip
    exchange |= {name: given.pop(name) for name in list(given) if name in exchange}
    run = Run(output, resume, minutes, init_from, (), progress, on_nodes=True)
    return rounds.train_nodes(node_class, corpus, rounds.RayOptions(**exchange), run, OPTIONS | given)


def check_ledger(folder, epochs=EPOCHS):
    """Every token of every epoch was committed, exactly once; return the records of the rounds."""
    records = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    n_tokens = json.loads((folder / "model.json").read_text())["corpus"]["tokens"]
    for epoch in range(1, epochs + 1):
        texts = [text for record in records if record["epoch"] == epoch for text in record["committed"].split()]
        ranges = [tuple(map(int, text.split("-"))) for text in texts]
        assert union(ranges) == [(0, n_tokens)]
        assert sum(stop - start for start, stop in ranges) == n_tokens
    assert records[-1]["tokens"] == epochs * n_tokens
    return records


def check_model(folder):
    """The model is complete and knows the topics, and the commands take it as any other."""
    embeddings = fastw2v.load(folder)
    assert embeddings.metadata["progress"]["complete"] is True
    assert topic_purity(embeddings) > 0.9
    assert main(["neighbors", str(folder), "t0w0", "-n", "3"]) == 0
    return embeddings


def dying(method, call, marks, number=1, how="kill", seconds=0.0):
    """Return a class of nodes of which one dies, or is late, at a call of a method; ``marks`` notes its process."""

    class Dying(Node):
        pass

    def replaced(self, *arguments):
        if self.number == number:
            self.calls = getattr(self, "calls", 0) + 1
            if self.calls == call:
                Path(marks).write_text(str(os.getpid()))
                if how == "kill":
                    os.kill(os.getpid(), signal.SIGKILL)
                time.sleep(seconds)
        return getattr(super(Dying, self), method)(*arguments)

    setattr(Dying, method, replaced)
    return Dying


def test_two_nodes_learn_and_stay_one_model(cluster, prepared, tmp_path, capsys):
    sums = tmp_path / "sums"

    class Summing(Node):
        def commit(self, attempt):
            super().commit(attempt)
            base = [zlib.crc32(M.tobytes()) for M in self.base]
            whole = all(np.array_equal(M, base) for M, base in zip(self.replica.model[:2], self.base, strict=True))
            with open(sums, "a") as file:
                file.write(json.dumps([attempt, base, whole]) + "\n")

    output = tmp_path / "m"
    train(prepared, output, Summing)
    records = check_ledger(output)
    embeddings = check_model(output)
    by_attempt = {}
    for line in sums.read_text().splitlines():
        attempt, base, whole = json.loads(line)
        by_attempt.setdefault(attempt, []).append((base, whole))
    assert len(by_attempt) == len(records)
    for record, found in zip(records, by_attempt.values(), strict=True):
        assert [base for base, _ in found] == [found[0][0]] * 2  # the base is the same at any time
        # after a full exchange all of both replicas is; before, each node's rare words are its own
        assert all(whole for _, whole in found) == (record["rows_exchanged"] == len(embeddings))
    last = [zlib.crc32(np.pad(M, ((0, 0), (0, 12))).tobytes()) for M in (embeddings.vectors, embeddings.outside)]
    assert last == found[0][0]  # and it equals the saved one

    assert {record["rows_exchanged"] for record in records} == {20, len(embeddings)}
    assert all(record["nodes"] == 2 and record["bytes_exchanged"] > 0 for record in records)
    tokens = [record["tokens"] for record in records]
    assert tokens == sorted(tokens)
    config = embeddings.metadata["config"]
    alpha = 2 * config["alpha"]  # averages of two nodes want twice the rate
    for record in records:
        share = record["tokens"] / record["tokens_total"]
        assert record["alpha"] == pytest.approx(alpha + share * (config["min_alpha"] - alpha))
    assert records[-1]["loss"] < records[0]["loss"]
    assert config["workers"] == 1
    assert embeddings.metadata["ray"]["nodes"] == 2
    assert "2 nodes of 1 thread" in capsys.readouterr().err


def test_the_rate_falls_from_alpha_to_min_alpha_in_every_node(cluster, prepared, tmp_path):
    notes = tmp_path / "notes"

    class Noting(Node):
        def train(self, ranges, alpha, step, seconds):
            with open(notes, "a") as file:
                file.write(json.dumps([ranges, alpha, step]) + "\n")
            return super().train(ranges, alpha, step, seconds)

        def open(self, plan, number):
            opened = super().open(plan, number)
            train_chunk = self.replica.train

            def noting(text, start, stop, rate):
                with open(notes, "a") as file:
                    file.write(json.dumps([[start, stop], *rate]) + "\n")
                return train_chunk(text, start, stop, rate)

            self.replica.train = noting
            return opened

    train(prepared, tmp_path / "m", Noting, epochs=1, alpha=0.04, min_alpha=0.01)
    lines = [json.loads(line) for line in notes.read_text().splitlines()]
    leases = [line for line in lines if isinstance(line[0][0], list)]
    chunks = [line for line in lines if not isinstance(line[0][0], list)]
    n_tokens = fastw2v.load(tmp_path / "m").metadata["corpus"]["tokens"]
    assert leases[0][1] == 0.08  # averages of two nodes want twice the rate
    ends = [alpha + step * sum(stop - start for start, stop in ranges) for ranges, alpha, step in leases]
    assert min(ends) == pytest.approx(0.01)
    for ranges, alpha, step in leases:
        assert step * n_tokens < -0.07 * 0.99  # never slower than on one node, as others train at the same time
        [mine] = [chunk for chunk in chunks if chunk[0][0] == ranges[0][0]]
        assert mine[1] + mine[2] * ranges[0][0] == pytest.approx(alpha)


def test_nodes_stop_by_the_clock(cluster, prepared, tmp_path, monkeypatch):
    notes = tmp_path / "notes"

    class Unsteady(Node):
        """One that the clock stops in the middle of a lease now and then."""

        def train(self, ranges, alpha, step, seconds):
            from fastw2v.distributed import node

            node.CHUNK_TOKENS = 10_000
            answer = super().train(ranges, alpha, step, seconds)
            with open(notes, "a") as file:
                file.write(json.dumps([seconds, length(ranges), answer["tokens"]]) + "\n")
            return answer

    monkeypatch.setattr(rounds, "SHORT_ROUND", 0)
    monkeypatch.setattr(rounds, "ROUND_SECONDS", 0.02)
    monkeypatch.setattr(rounds, "FIRST_LEASE", 10_000)
    train(prepared, tmp_path / "m", Unsteady, round_tokens=None, epochs=6)
    check_ledger(tmp_path / "m", 6)
    check_model(tmp_path / "m")
    lines = [json.loads(line) for line in notes.read_text().splitlines()]
    assert any(0 < trained < leased for _, leased, trained in lines)
    assert all(trained == leased for seconds, leased, trained in lines if seconds == math.inf)


def test_nodes_of_two_threads_learn_too(cluster, prepared, tmp_path):
    train(prepared, tmp_path / "m", workers=2, kernel="pair", progress=False)
    check_ledger(tmp_path / "m")
    check_model(tmp_path / "m")


@pytest.mark.parametrize("method", ["train", "take", "reduce", "assemble", "commit"])
def test_a_node_that_is_killed(method, cluster, prepared, tmp_path, capsys):
    marks, output = tmp_path / "marks", tmp_path / "m"
    train(prepared, output, dying(method, 5, marks), min_nodes=2)  # so it waits until another has come
    assert marks.exists()
    records = check_ledger(output)
    embeddings = check_model(output)
    assert embeddings.metadata["progress"]["ledger"]["nodes_started"] == 3
    numbers = [record["nodes"] for record in records]
    lost = numbers.index(1)
    assert numbers == [2] * lost + [1] + [2] * (len(numbers) - lost - 1)
    assert lost >= 2
    assert len(numbers) > lost + 2
    said = capsys.readouterr().err
    assert "node 1 (" in said
    assert "was lost (its process ended); " in said
    assert "tokens will be trained again" in said
    trained = sum(record["tokens_trained"] for record in records)
    assert trained >= EPOCHS * embeddings.metadata["corpus"]["tokens"]


@pytest.mark.parametrize("method", ["reduce", "assemble", "commit"])
def test_survivors_stay_one_model(method, cluster, prepared, tmp_path, monkeypatch):
    sums, output = tmp_path / "sums", tmp_path / "m"

    class Summing(dying(method, 7, tmp_path / "marks")):
        def commit(self, attempt):
            super().commit(attempt)
            with open(sums, "a") as file:
                file.write(json.dumps([attempt, [zlib.crc32(M.tobytes()) for M in self.base]]) + "\n")

    monkeypatch.setattr(node, "SLAB_BYTES", 8 * 20 * 15)  # 15 rows: an exchange of all is four slabs
    train(prepared, output, Summing, nodes=3, min_nodes=2)
    assert (tmp_path / "marks").exists()
    assert 2 in [record["nodes"] for record in check_ledger(output)]
    embeddings = check_model(output)
    of_attempt = {}
    for line in sums.read_text().splitlines():
        attempt, base = json.loads(line)
        of_attempt.setdefault(attempt, []).append(base)
    assert all(len(found) in (2, 3) and found == found[:1] * len(found) for found in of_attempt.values())
    assert {len(found) for found in of_attempt.values()} == {2, 3}
    last = [zlib.crc32(np.pad(M, ((0, 0), (0, 12))).tobytes()) for M in (embeddings.vectors, embeddings.outside)]
    assert last == of_attempt[max(of_attempt)][0]


def test_the_only_node_that_sees_the_output_is_lost(cluster, prepared, tmp_path):
    class Apart(dying("train", 2, tmp_path / "marks")):
        def open(self, plan, number):
            return super().open(plan, number) | {"sees_output": number != 0}

    output = tmp_path / "m"
    train(prepared, output, Apart, epochs=1, min_nodes=1)  # the other node continues, and the model waits for new nodes
    check_ledger(output, 1)
    progress = fastw2v.load(output).metadata["progress"]
    assert progress["complete"]
    assert progress["ledger"]["nodes_started"] == 3


def test_a_run_resumes_with_its_own_nodes(cluster, prepared, tmp_path, capsys):
    output = tmp_path / "m"
    train(prepared, output, epochs=1)
    train(prepared, output, resume=True, nodes=None, epochs=2)
    assert "learning rate may change" not in capsys.readouterr().err
    assert fastw2v.load(output).metadata["ray"]["nodes"] == 2
    train(prepared, output, resume=True, nodes=1, epochs=3)
    assert "the run had 2 nodes before: the learning rate may change" in capsys.readouterr().err
    assert fastw2v.load(output).metadata["ray"]["nodes"] == 1


def test_only_a_run_that_takes_the_mean_resumes(cluster, prepared, tmp_path):
    output = tmp_path / "m"
    train(prepared, output, epochs=1)
    manifest = output / "model.json"
    metadata = json.loads(manifest.read_text())
    del metadata["checksum"]
    assert "merge" not in metadata["ray"]
    metadata["ray"]["merge"] = "combiner"
    manifest.write_text(json.dumps(metadata))
    with pytest.raises(
        fastw2v.ConfigError, match=r"the run in .*/m merges by 'combiner', which this version can't: start a new run"
    ):
        train(prepared, output, resume=True, epochs=2)
    metadata["ray"]["merge"] = "mean"
    manifest.write_text(json.dumps(metadata))
    train(prepared, output, resume=True, epochs=2)
    check_ledger(output, 2)


@pytest.mark.parametrize("method", ["train", "take"])
def test_a_node_that_is_late(method, cluster, prepared, tmp_path, capsys):
    marks, output = tmp_path / "marks", tmp_path / "m"
    train(prepared, output, dying(method, 3, marks, how="late", seconds=300), round_timeout_s=2, min_nodes=2)
    assert [record["nodes"] for record in check_ledger(output)].count(1) == 1
    embeddings = check_model(output)
    assert embeddings.metadata["progress"]["ledger"]["nodes_started"] == 3
    assert "did not answer for 2 s; " in capsys.readouterr().err
    with pytest.raises(ProcessLookupError):  # it must not come back and write
        os.kill(int(marks.read_text()), 0)


def test_too_few_nodes_are_left_then_resumed(cluster, prepared, tmp_path, capsys):
    marks = tmp_path / "marks"

    class DyingForGood(dying("train", 5, marks)):
        def open(self, plan, number):
            if Path(marks).exists():
                os._exit(1)
            return super().open(plan, number)

    output = tmp_path / "m"
    with pytest.raises(
        fastw2v.ClusterError, match=r"1 node left, but at least 2 must train .* use resume=True to continue"
    ):
        train(prepared, output, DyingForGood, min_nodes=2)
    assert "it is not started again" in capsys.readouterr().err
    stopped = fastw2v.load(output)
    progress = stopped.metadata["progress"]
    assert not progress["complete"]
    assert 0 < progress["tokens"] < progress["tokens_total"]
    # a run of nodes is not one of a single machine; the error names a remedy
    with pytest.raises(fastw2v.ConfigError, match=r"was trained by train_ray: use that function to resume"):
        fastw2v.train(prepared, output=output, resume=True, progress=False)

    train(prepared, output, resume=True, nodes=3)
    records = check_ledger(output)
    embeddings = check_model(output)
    assert records[: len(stopped.metrics)] == stopped.metrics
    assert f"resuming at token {progress['tokens']:,}" in capsys.readouterr().err
    assert embeddings.metadata["progress"]["ledger"]["nodes_started"] == progress["ledger"]["nodes_started"] + 3

    train(prepared, output, resume=True)
    assert "is already complete" in capsys.readouterr().err
    train(prepared, output, resume=True, epochs=EPOCHS + 1)
    check_ledger(output, EPOCHS + 1)


def test_a_node_that_joins_and_leaves(cluster, prepared, tmp_path):
    gone, output = tmp_path / "gone", tmp_path / "m"

    class Slow(Node):
        """Rounds take some time until the machine that comes has gone."""

        def train(self, ranges, alpha, step, seconds):
            time.sleep(0 if gone.exists() else 0.15)
            return super().train(ranges, alpha, step, seconds)

    with ThreadPoolExecutor(1) as beside:  # Ray starts machines in the main thread only
        training = beside.submit(train, prepared, output, Slow, workers=3, min_nodes=1, epochs=8)
        wait_for_rounds(training, output, 1, nodes=1)
        machine = cluster.add_node(num_cpus=3, object_store_memory=100_000_000)
        try:
            wait_for_rounds(training, output, 3, nodes=2)
        finally:
            cluster.remove_node(machine, allow_graceful=False)
        gone.touch()
        training.result()
    records = check_ledger(output, 8)
    check_model(output)
    numbers = [record["nodes"] for record in records]
    assert numbers[0] == 1  # the machine has cores for one node of three threads
    assert 2 in numbers
    assert numbers[-1] == 1


def wait_for_rounds(training, output, rounds, nodes):
    """Wait until a training has so many rounds of so many nodes behind it."""
    metrics = output / ".partial" / "metrics.jsonl"
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and not training.done():
        lines = metrics.read_bytes().splitlines(keepends=True) if metrics.exists() else []
        if sum(json.loads(line)["nodes"] == nodes for line in lines if line.endswith(b"\n")) >= rounds:
            return
        time.sleep(0.02)
    raise AssertionError(f"{rounds} rounds of {nodes} nodes did not come")


def test_the_driver_is_killed_and_stopped_and_the_run_goes_on(cluster, planted_file, tmp_path, capsys):
    output = tmp_path / "m"
    (tmp_path / "fastw2v").mkdir()  # a folder of that name where the command is run is not the package
    (tmp_path / "fastw2v" / "__init__.py").touch()
    command = [
        str(Path(sys.executable).parent / "fastw2v"),
        "train",
        str(planted_file),
        "-o",
        str(output),
        "--epochs",
        "400",
    ]
    command += ["--vector-size", "20", "--sample", "0", "--workers", "1", "--checkpoint-every", "0.001"]
    command += ["--resume", "--nodes", "2", "--ray"]
    outputs = {
        "stdout": subprocess.PIPE,
        "stderr": subprocess.PIPE,
        "text": True,
        "start_new_session": True,
        "cwd": tmp_path,
    }
    for address, number, code in (([cluster.address], signal.SIGKILL, -signal.SIGKILL), ([], signal.SIGINT, 130)):
        process = subprocess.Popen([*command, *address], **outputs)
        deadline = time.monotonic() + 60
        saved = {saved_tokens(output)}
        while len(saved) < 3:  # a resumed run may first finish the save of the killed one
            saved.add(saved_tokens(output))
            assert process.poll() is None, process.communicate()
            assert time.monotonic() < deadline
            time.sleep(0.01)
        os.killpg(process.pid, number)  # as a terminal does: Ray's own processes get it too
        out, err = process.communicate(timeout=60)
        assert process.returncode == code, err
        assert out == ""
        assert 0 < saved_tokens(output) < 400 * 20_000
        assert "Traceback" not in err
    assert f"fastw2v: interrupted; {output} holds the vectors as they were" in err
    assert [line for line in err.splitlines() if "raylet" in line or "ray::" in line or "WARN" in line] == []
    started = fastw2v.load(output).metadata["progress"]["epoch"]
    train(planted_file, output, resume=True, epochs=started + 2, progress=False)
    check_ledger(output, started + 2)
    check_model(output)


def saved_tokens(folder):
    try:
        return json.loads((folder / "model.json").read_text())["progress"]["tokens"]
    except FileNotFoundError:
        return 0


def test_a_run_that_starts_from_given_vectors(cluster, prepared, planted_file, model, tmp_path):
    output = tmp_path / "m"
    train(prepared, output, init_from=model, epochs=1, alpha=1e-6, min_alpha=0, progress=False)
    given, found = fastw2v.load(model), fastw2v.load(output)
    assert found.metadata["init_from"]["words_taken"] == len(given)
    for word in given.words:
        np.testing.assert_allclose(found[word], given[word], atol=1e-3)


def test_a_run_that_diverges(cluster, prepared, tmp_path):
    with pytest.raises(fastw2v.DivergedError, match="nothing was saved; lower alpha"):
        train(prepared, tmp_path / "m", alpha=40.0, kernel="pair", min_alpha=40.0)
    assert not (tmp_path / "m").exists()


# ---------------------------------------------------------------------------------------------------- refused options


def refused(capsys, *arguments):
    """Run the command and return the one line that it prints, without the program's name."""
    assert main(["train", *map(str, arguments)]) == 2
    lines = [line for line in capsys.readouterr().err.splitlines() if line.startswith("fastw2v: error: ")]
    assert len(lines) == 1
    return lines[0].removeprefix("fastw2v: error: ")


def test_ray_is_not_installed(planted_file, tmp_path, capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    said = refused(capsys, planted_file, "-o", tmp_path / "m", "--ray")
    assert said.startswith("Ray can't be loaded")
    assert said.endswith("pip install 'fastw2v[ray]'")
    assert not (tmp_path / "m").exists()


def test_addresses(planted_file, tmp_path, capsys, monkeypatch):
    ray = pytest.importorskip("ray")
    monkeypatch.setattr(ray, "is_initialized", lambda: False)
    for address in ("corpus.txt", "ray://host:10001", "host:port", ":6379"):
        said = refused(capsys, planted_file, "-o", tmp_path / "m", "--ray", address)
        assert "give HOST:PORT" in said
    said = refused(capsys, planted_file, "-o", tmp_path / "m", "--ray", "127.0.0.1:9")
    assert said.startswith("no Ray cluster at 127.0.0.1:9 (Connection refused): start one")
    assert not (tmp_path / "m").exists()


def test_options_out_of_range(planted_file, tmp_path, capsys):
    assert "--ray" in refused(capsys, planted_file, "-o", tmp_path / "m", "--nodes", "2")
    assert "--nodes is 0" in refused(capsys, planted_file, "-o", tmp_path / "m", "--ray", "--nodes", "0")
    for wrong in (
        {"hot_rows": 0}, {"full_every": True}, {"round_tokens": 1.5}, {"round_timeout_s": 0},
        {"round_timeout_s": float("nan")}, {"min_nodes": 3}, {"nodes": "2"}, {"address": 5}, {"address": "x"},
    ):  # fmt: skip
        with pytest.raises(fastw2v.ConfigError, match=next(iter(wrong)).split("_")[0]):
            fastw2v.distributed.train_ray(planted_file, output=tmp_path / "m", **({"nodes": 2} | wrong))
    for unknown in ("nods", "merge"):
        with pytest.raises(TypeError, match=f"no option '{unknown}'"):
            fastw2v.distributed.train_ray(planted_file, output=tmp_path / "m", **{unknown: "mean"})


def test_machines_that_do_not_fit(cluster, prepared, planted_file, tmp_path):
    other = tmp_path / "other"
    fastw2v.prepare(planted_file, other, progress=False)

    def opens(path):
        class Elsewhere(Node):
            def open(self, plan, number):
                return super().open(replace(plan, corpus=(str(path),)), number)

        return Elsewhere

    class OtherVersion(Node):
        def hello(self):
            return super().hello() | {"numpy": "1.26.0"}

    class OtherPackage(Node):
        def hello(self):
            return super().hello() | {"package": "1", "folder": "/opt/fastw2v"}

    class SeesNoOutput(Node):
        def open(self, plan, number):
            return super().open(replace(plan, token="another"), number)

    for node_class, error, said in (
        (
            OtherVersion,
            fastw2v.ClusterError,
            rf"node 0 \(.+\) has numpy 1.26.0, this machine has {np.__version__}: inst",
        ),
        (
            opens(other),
            fastw2v.CorpusError,
            r"node 0 \(.+\): the vocabulary of .*/other has SHA-256 \w+, but the driver's has \w+",
        ),
        (
            opens("/nowhere"),
            fastw2v.FolderError,
            r"node 0 \(.+\): /nowhere does not exist: .*; put it on a file system",
        ),
        (OtherPackage, fastw2v.ClusterError, r"node 0 \(.+\) has another fastw2v, in /opt/fastw2v, this machine has "),
        (SeesNoOutput, fastw2v.FolderError, "no node can write .*/m: put it on a file system"),
    ):
        with pytest.raises(error, match=said):
            train(prepared, tmp_path / "m", node_class, nodes=1)
        assert not (tmp_path / "m").exists()
    with pytest.raises(
        fastw2v.ClusterError, match=r"8 nodes with 3 threads each wanted, 1 started, but at least 4 must train"
    ):
        train(prepared, tmp_path / "m", nodes=8, workers=3)


def test_a_machine_without_the_package(cluster, prepared, tmp_path, monkeypatch):
    (tmp_path / "only_here.py").write_text(
        "from fastw2v.distributed.node import Node\n\n\nclass Here(Node):\n    pass\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    import only_here

    with pytest.raises(
        fastw2v.ClusterError, match=r"0 started, .* \(ModuleNotFoundError: No module named 'only_here'\)"
    ):
        train(prepared, tmp_path / "m", only_here.Here, nodes=1)


def test_a_run_of_one_machine_does_not_go_on_with_nodes(model, planted_file, capsys):
    said = refused(capsys, planted_file, "-o", model, "--ray", "--resume")
    assert "was trained without --ray: omit it to resume" in said
