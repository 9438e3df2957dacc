"""Vector indexes side by side: `python bench/index.py [--rows 10000 100000 1000000] [--work DIR] [--plot FILE]`.

Recall@10 against latency at one query a time on one thread, build time, memory and files, and how fast rows come and
go. Every index is built in a process of its own and measured in another one that loaded its file; `anon` is memory of
its own, `file` are mapped pages, which processes share and the kernel may take back.

The vectors are text-like: encoded sentences of the public sets (bench/datasets.py), and mixtures of each with one of
its neighbours plus noise until there are enough. Queries are made the same way from sentences that were left out.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

K = 10
QUERIES = 500
PEERS = ("deskhand", "faiss-hnsw32", "usearch", "semantic_search")


def text_vectors(work: Path, shared: Path | None) -> np.ndarray:
    """Real sentences, encoded once by the bundled encoder."""
    path = work / "sentences.npy"
    if not path.is_file():
        import datasets

        from training.base import base_encoder, with_base
        from training.config import TrainingConfig

        texts: dict[str, None] = {}
        for name in ("stackfaq", "doc2dial", "dstc10-faq", "banking77", "clinc150"):
            datasets.convert(name, work / name, shared=shared or datasets.shared_folder())
            for file in sorted((work / name).glob("*.jsonl")):
                for line in file.read_text("utf-8").splitlines():
                    texts.update(dict.fromkeys(json.loads(line).get("text", "")[:300].split("\n")))
        kept = [text for text in texts if len(text) > 20][:30_000]
        np.save(path, base_encoder(with_base(TrainingConfig(), kept)[0], work).encode(kept))
    return np.load(path)


def rows_and_queries(work: Path, count: int, shared: Path | None) -> tuple[Path, Path]:
    """Files of `count` rows and of the queries, made once."""
    rows, queries = work / f"rows-{count}.npy", work / f"queries-{count}.npy"
    if not (rows.is_file() and queries.is_file()):
        real = text_vectors(work, shared)
        rng = np.random.default_rng(0)
        order = rng.permutation(len(real))
        np.save(queries, mixed(real[order[:2000]], QUERIES, rng))
        np.save(rows, mixed(real[order[2000:]], count, rng))
    return rows, queries


def mixed(real: np.ndarray, count: int, rng: np.random.Generator) -> np.ndarray:
    near = neighbours(real)
    out = np.empty((count, real.shape[1]), np.float32)
    for start in range(0, count, 50_000):
        size = min(50_000, count - start)
        own = rng.integers(0, len(real), size)
        other = near[own, rng.integers(0, near.shape[1], size)]
        share = rng.uniform(0, 0.5, (size, 1)).astype(np.float32)
        noise = rng.standard_normal((size, real.shape[1])).astype(np.float32) * np.float32(0.35 / real.shape[1] ** 0.5)
        part = (1 - share) * real[own] + share * real[other] + noise
        out[start : start + size] = part / np.linalg.norm(part, axis=1, keepdims=True)
    return out


def neighbours(real: np.ndarray) -> np.ndarray:
    out = np.empty((len(real), 16), np.int64)
    for at in range(0, len(real), 500):
        out[at : at + 500] = np.argpartition(-(real[at : at + 500] @ real.T), 16, axis=1)[:, :16]
    return out


def truth(rows: Path, queries: Path) -> np.ndarray:
    path = queries.with_name(f"truth-{rows.stem}.npy")
    if not path.is_file():
        from retrieval.index import _exact

        np.save(path, _exact(np.load(queries), np.load(rows, mmap_mode="r"), K))
    return np.load(path)


def build(name: str, rows: Path, place: Path) -> dict[str, Any]:
    """Build in this process and save to `place`."""
    vectors = np.load(rows, mmap_mode="r")
    start, cpu = time.perf_counter(), time.process_time()
    facts: dict[str, Any] = {}
    if name == "deskhand":
        from retrieval.index import Index

        index = Index.build(vectors)
        index.save(place)
        facts["explain"] = index.explain
    elif name == "faiss-hnsw32":
        import faiss

        faiss.omp_set_num_threads(1)
        plain = faiss.IndexHNSWFlat(vectors.shape[1], 32, faiss.METRIC_INNER_PRODUCT)
        plain.hnsw.efConstruction = 80
        for at in range(0, len(vectors), 50_000):
            plain.add(np.ascontiguousarray(vectors[at : at + 50_000]))
        faiss.write_index(plain, str(place))
    elif name == "usearch":
        from usearch.index import Index as Usearch

        graph = Usearch(ndim=vectors.shape[1], metric="ip", dtype="f16")
        graph.add(np.arange(len(vectors)), np.asarray(vectors), threads=1)
        graph.save(str(place))
    return {**facts, "build_s": time.perf_counter() - start, "build_cpu_s": time.process_time() - cpu}


def searchers(name: str, rows: Path, place: Path) -> list[tuple[str, Callable[[np.ndarray], np.ndarray]]]:
    """(setting, search of one query) for each point of the curve; the first is the default."""
    if name == "deskhand":
        from retrieval.index import Index

        index = Index.load(place, exact=np.load(rows, mmap_mode="r"))
        points = [("as tuned", 0)]
        if index.tuned:
            points += [(f"{n} lists", n) for n in (4, 8, 16, 32, 64, 128, 256)]

        def ours(probes: int) -> Callable[[np.ndarray], np.ndarray]:
            def search(query: np.ndarray) -> np.ndarray:
                if index.tuned:
                    index._index.nprobe = probes or index.tuned.probes
                return index.search(query[None], K)[1][0]

            return search

        return [(label, ours(probes)) for label, probes in points]
    if name == "faiss-hnsw32":
        import faiss

        faiss.omp_set_num_threads(1)
        plain = faiss.read_index(str(place))

        def hnsw(ef: int) -> Callable[[np.ndarray], np.ndarray]:
            def search(query: np.ndarray) -> np.ndarray:
                plain.hnsw.efSearch = ef
                return plain.search(query[None], K)[1][0]

            return search

        return [(f"efSearch {ef}", hnsw(ef)) for ef in (64, 16, 32, 128, 256)]
    if name == "usearch":
        from usearch.index import Index as Usearch

        graph = Usearch.restore(str(place), view=True)

        def walk(ef: int) -> Callable[[np.ndarray], np.ndarray]:
            def search(query: np.ndarray) -> np.ndarray:
                graph.expansion_search = ef
                return np.asarray(graph.search(query, K, threads=1).keys).astype(np.int64)

            return search

        return [(f"expansion {ef}", walk(ef)) for ef in (64, 16, 32, 128, 256)]
    import torch
    from sentence_transformers import util

    torch.set_num_threads(1)
    corpus = torch.from_numpy(np.load(rows))

    def brute(query: np.ndarray) -> np.ndarray:
        hits = util.semantic_search(torch.from_numpy(query), corpus, top_k=K, score_function=util.dot_score)[0]
        return np.array([hit["corpus_id"] for hit in hits])

    return [("exact", brute)]


def measure(name: str, rows: Path, queries: Path, place: Path) -> dict[str, Any]:
    right, asked = truth(rows, queries), np.load(queries)
    asked = asked[: 50 if name == "semantic_search" else QUERIES]
    start = time.perf_counter()
    points = searchers(name, rows, place)
    loaded = time.perf_counter() - start
    found = []
    for number, (label, search) in enumerate(points):
        search(asked[0])
        took, hits = [], []
        for query, gold in zip(asked, right, strict=False):
            begin = time.perf_counter()
            got = search(query)
            took.append(1000 * (time.perf_counter() - begin))
            hits.append(len(set(got.tolist()) & set(gold.tolist())) / K)
        memory = resident() if number == 0 else {}
        p50, p95 = np.percentile(took, [50, 95])
        found.append({"point": label, "recall": float(np.mean(hits)), "p50_ms": p50, "p95_ms": p95, **memory})
    return {"load_s": loaded, "points": found}


def resident() -> dict[str, float]:
    status = Path("/proc/self/status").read_text()
    kb = {line.split(":")[0]: int(line.split()[1]) for line in status.splitlines() if line.startswith("Rss")}
    return {"anon_mb": kb["RssAnon"] / 1024, "file_mb": kb["RssFile"] / 1024}


def changes(work: Path, shared: Path | None, count: int = 5000) -> dict[str, float]:
    """Articles of one passage that come and go one by one and together, with ready vectors: articles a second."""
    from retrieval.articles import Article
    from retrieval.knowledge import KnowledgeIndex

    vectors = mixed(text_vectors(work, shared), 2 * count, np.random.default_rng(1))
    told = iter(range(10**9))

    def encode(texts: Sequence[str]) -> np.ndarray:
        return vectors[[next(told) % len(vectors) for _ in texts]] if texts else vectors[:0]

    articles = [Article(f"a{n}", f"Title {n}", f"The text of article {n} says something.") for n in range(count)]
    start = time.perf_counter()
    index = KnowledgeIndex.build(articles, encode, encoder_id="bench")
    together = count / (time.perf_counter() - start)
    place = work / "changes"
    index.save(place)
    more = [Article(f"b{n}", f"More {n}", f"The text of a further article {n}.") for n in range(50)]
    start = time.perf_counter()
    for number in range(len(more)):
        articles.append(more[number])
        index = KnowledgeIndex.build(articles, encode, encoder_id="bench", previous=index)
        index.save(place)
    one_by_one = len(more) / (time.perf_counter() - start)
    start = time.perf_counter()
    for _ in range(50):
        articles.pop()
        index = KnowledgeIndex.build(articles, encode, encoder_id="bench", previous=index)
        index.save(place)
    removed = 50 / (time.perf_counter() - start)
    return {"added_together_per_s": together, "added_one_by_one_per_s": one_by_one, "removed_per_s": removed}


def run(*arguments: str) -> dict[str, Any]:
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    command = [sys.executable, __file__, *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    if done.returncode:
        raise SystemExit(f"{' '.join(arguments)} ended with {done.returncode}:\n{done.stderr[-2000:]}")
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def table(results: Sequence[dict[str, Any]]) -> str:
    head = ["rows", "index", "point", "recall@10", "p50 ms", "p95 ms", "anon MB", "file MB", "disk MB", "build CPU s"]
    head.append("load s")
    lines = [f"| {' | '.join(head)} |", "| ---: | --- | --- " + "| ---: " * (len(head) - 3) + "|"]
    for one in results:
        point = one["points"][0]
        cells = [f"{one['rows']:,}", one["name"], point["point"], f"{point['recall']:.3f}"]
        cells += [f"{point[key]:.2f}" for key in ("p50_ms", "p95_ms")]
        cells += [f"{point[key]:.0f}" for key in ("anon_mb", "file_mb")]
        cells += [f"{one['disk_mb']:.0f}", f"{one['build_cpu_s']:.1f}", f"{one['load_s']:.2f}"]
        lines.append(f"| {' | '.join(cells)} |")
    explained = [f"- {one['explain']}" for one in results if "explain" in one]
    return "\n".join([*lines, "", *explained])


def plot(results: Sequence[dict[str, Any]], path: Path) -> None:
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    sizes = sorted({one["rows"] for one in results})
    figure, axes = pyplot.subplots(1, len(sizes), figsize=(5 * len(sizes), 4), squeeze=False)
    for axis, size in zip(axes[0], sizes, strict=True):
        for one in (result for result in results if result["rows"] == size):
            points = sorted((point["recall"], point["p50_ms"]) for point in one["points"])
            axis.plot(*zip(*points, strict=True), marker="o", label=one["name"])
        axis.set(title=f"{size:,} rows", xlabel="recall@10", ylabel="ms a query (p50)", yscale="log")
        axis.legend()
    figure.tight_layout()
    figure.savefig(path)


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, nargs="+", default=[10_000, 100_000, 1_000_000])
    parser.add_argument("--only", nargs="+", choices=PEERS, default=list(PEERS))
    parser.add_argument("--work", type=Path, default=None, help="keep the files here")
    parser.add_argument("--shared", type=Path, default=None, help="the folder that holds data/")
    parser.add_argument("--plot", type=Path, default=None, help="an SVG of the curves")
    parser.add_argument("--part", nargs="+", default=None, help=argparse.SUPPRESS)
    given = parser.parse_args(argv)
    if given.part:
        step, name, *paths = given.part
        places = [Path(path) for path in paths]
        print(json.dumps(build(name, *places) if step == "build" else measure(name, *places)))
        return 0
    with TemporaryDirectory(prefix="index-") as scratch:
        work = given.work or Path(scratch)
        work.mkdir(parents=True, exist_ok=True)
        results = []
        for count in given.rows:
            rows, queries = rows_and_queries(work, count, given.shared)
            truth(rows, queries)
            for name in given.only:
                place = work / f"{name}-{count}.index"
                built = run("--part", "build", name, str(rows), str(place))
                found = run("--part", "measure", name, str(rows), str(queries), str(place))
                disk = sum(path.stat().st_size for path in work.glob(f"{place.name}*")) / (1 << 20)
                results.append({"rows": count, "name": name, "disk_mb": disk, **built, **found})
                print(f"{name} {count}: {json.dumps(results[-1])}", file=sys.stderr)
        print(table(results))
        print(f"\nArticles with ready vectors: {json.dumps(changes(work, given.shared))}")
        if given.plot:
            plot(results, given.plot)
    return 0


if __name__ == "__main__":
    sys.exit(main())
