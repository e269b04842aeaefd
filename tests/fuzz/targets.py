"""The fuzzed readers, each as a function of arbitrary bytes.

For a reader of a folder, the first byte selects the file of a valid folder that the other bytes replace; where a reader
has variants or accepts several suffixes, it selects one of those.
"""

from __future__ import annotations

import asyncio
import contextlib
import shutil
import urllib.parse
import warnings
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import filelock  # noqa: F401  # makes a temporary folder when it is imported, which the rules forbid
from fuzz.harness import Target
from small_banks import write_small_bank
from small_networks import small_network

from dplass_cli.adapters.adapter_folder import load_adapter
from dplass_cli.adapters.bank_folder import read_bank, write_bank
from dplass_cli.adapters.dplass_format import from_published, read_published
from dplass_cli.audio.ffmpeg import measure
from dplass_cli.audio.reading import audio_info, read_audio, read_blocks, read_mono
from dplass_cli.data.manifest import read_manifest, write_manifest
from dplass_cli.data.prepare.audioset_lists import read_class_labels, read_ids, read_segments
from dplass_cli.data.prepare.checking import check_clip
from dplass_cli.data.prepare.cleaning import read_corrections
from dplass_cli.data.prepare.clip_table import clip_table, column_label_captions
from dplass_cli.data.prepare.corpora import CORPORA
from dplass_cli.data.prepare.corpus_reader import column_texts, read_records
from dplass_cli.data.prepare.corpus_tables import read_captions
from dplass_cli.data.prepare.locating import ClipIndex, listed_files
from dplass_cli.domains.imported import read_categories
from dplass_cli.domains.partition_folder import Partition, read_partition
from dplass_cli.encoders import QueryEncoder, load_encoder
from dplass_cli.encoders.cache import EmbeddingCache, check_encoder
from dplass_cli.errors import InputError
from dplass_cli.evaluation.benchmarks import find_benchmark
from dplass_cli.evaluation.comparison import compare_runs, read_run
from dplass_cli.evaluation.item_records import ItemRecords
from dplass_cli.evaluation.items import read_items
from dplass_cli.evaluation.scores import COLUMNS
from dplass_cli.models import BaseModel, load_base
from dplass_cli.options.parse import build_options
from dplass_cli.options.separate_options import SeparateOptions
from dplass_cli.options.serve_options import ServeOptions
from dplass_cli.options.train_options import TrainOptions
from dplass_cli.pipelines.results import scan_results
from dplass_cli.separation.bank import AdapterBank
from dplass_cli.separation.output import Output, name_parts, suffix_of, target_paths
from dplass_cli.separation.queries import Query, named, parse_spans
from dplass_cli.separation.recordings import find_recordings
from dplass_cli.storage import read_json, write_json
from dplass_cli.weights.checkpoint_files import read_base_state
from dplass_cli.weights.fetching import WeightsStore
from dplass_cli.weights.known_files import read_known_files

warnings.filterwarnings("ignore")  # libraries warn about malformed files

BENCHMARKS = ("custom", "audioset", "audiocaps", "clotho", "esc50", "music", "vggsound")
SUFFIXES = (".wav", ".flac", ".ogg", ".mp3", ".aiff", ".au", ".caf", ".opus", ".w64")
CORPUS_KINDS = ("audiocaps", "clotho", "csv", "esc50", "fsd50k", "music21", "vggsound", "wavcaps", "audioldm")


def _choice(data: bytes, among: Sequence[Any]) -> tuple[Any, bytes]:
    return among[data[0] % len(among) if data else 0], data[1:]


def _file(folder: Path, name: str, data: bytes) -> Path:
    path = folder / name
    path.write_bytes(data)
    return path


def audioset(data: bytes, folder: Path) -> None:
    """AudioSet's lists: weak and strong segments, class names, ids, captions, file lists."""
    (reader, suffix), rest = _choice(
        data,
        [
            (read_segments, ".csv"),
            (read_segments, ".tsv"),
            (read_class_labels, ".csv"),
            (read_class_labels, ".tsv"),
            (read_ids, ".txt"),
            (read_captions, ".csv"),
            (lambda path: list(listed_files(path)), ".txt"),
        ],
    )
    read = reader(_file(folder, f"list{suffix}", rest))
    if reader is read_segments:
        for segment in read[:50]:
            ClipIndex(["/clips/a.wav"]).by_id(segment.ytid, segment.start, segment.end)


def manifest(data: bytes, folder: Path) -> None:
    """A manifest; one that can be read can be written, and reads the same again."""
    rows = read_manifest(_file(folder, "train.json", data))
    again = folder / "again.json"
    write_manifest(again, rows)
    assert [row.caption for row in read_manifest(again)] == [row.caption for row in rows]
    for row in rows[:5]:
        try:
            audio_info(row.wav)
        except InputError:
            continue


def corpus(data: bytes, folder: Path) -> None:
    """The lists of other corpora, CSV and JSON."""
    kind, rest = _choice(data, CORPUS_KINDS)
    listed, where = CORPORA[kind], _file(folder, "list.json" if rest[:1] in b"[{" else "list.csv", rest)
    records = read_records(listed, [where], listed.split, split_given=False)
    index = ClipIndex(["/clips/a.wav", "/clips/b_10.flac"], column_texts(records, listed.name))
    clip_table(records, listed, index, column_label_captions(records, listed, "each"), where=str(where))


def benchmark(data: bytes, folder: Path) -> None:
    """Tables of benchmarks, published and custom."""
    name, rest = _choice(data, BENCHMARKS)
    items = read_items(find_benchmark(name), _file(folder, "table.csv", rest), folder)
    for item in items[:5]:
        for file in item.files:
            try:
                audio_info(file)
            except InputError:
                continue


def options(data: bytes, folder: Path) -> None:
    """YAML files of options, ``--set``, and the package's other YAML tables."""
    variant, rest = _choice(data, range(6))
    path = _file(folder, "config.yaml", rest)
    if variant in (0, 1):
        from dplass_cli.training.audiosep_config import adopt

        fixed = {"partition": str(folder), "workspace": str(folder)}
        build_options(TrainOptions, path, (), fixed, adopt if variant else dict)
    elif variant == 2:
        build_options(SeparateOptions, path, (), {"output": str(folder)})
    elif variant == 3:
        settings = rest.decode(errors="surrogateescape").split("\n")
        build_options(ServeOptions, None, settings, {})
    elif variant == 4:
        read_corrections(path)
    else:
        read_known_files(path)


@cache
def _models(folder: Path) -> tuple[BaseModel, QueryEncoder, Path]:
    """A small base, the bundled encoder, and a bank of three adapters."""
    base, bank = write_small_bank(folder / "models")
    return load_base(base), load_encoder(), bank


@cache
def _small_network() -> BaseModel:
    """A network that the published layout can represent."""
    return small_network()


def _with_replaced_file(data: bytes, folder: Path, source: Path) -> Path:
    """A copy of a folder in which one file has another content."""
    files = sorted(path.relative_to(source) for path in source.rglob("*") if path.is_file())
    chosen, rest = _choice(data, files)
    copy = folder / "folder"
    if not copy.is_dir():
        shutil.copytree(source, copy)
    (copy / chosen).write_bytes(rest)
    return copy


def _restore(copy: Path, source: Path) -> None:
    for path in source.rglob("*"):
        if path.is_file():
            place = copy / path.relative_to(source)
            if place.read_bytes() != path.read_bytes():
                shutil.copyfile(path, place)


def partition(data: bytes, folder: Path) -> None:
    """A partition folder, or a published partition to import."""
    encoder = bundled_encoder()
    source = folder / "valid-partition"
    if not source.is_dir():
        valid_partition(encoder).save(source)
        write_json(source / "published.json", {"cluster0": {"cluster_id": 0, "categories_in_cluster": ["Bark"]}})
    copy = _with_replaced_file(data, folder, source)
    try:
        read_partition(copy).save(folder / "out")
        read_categories(copy / "published.json")
    finally:
        _restore(copy, source)


@cache
def bundled_encoder() -> QueryEncoder:
    """The bundled encoder."""
    return load_encoder()


def valid_partition(encoder: QueryEncoder) -> Partition:
    """A partition of two domains."""
    from dplass_cli.domains.partition_folder import Domain

    captions = (("a dog barking", "dog"), ("rain",))
    domains = tuple(Domain(id, names[0], names, 3, names[:1]) for id, names in enumerate(captions))
    centroids = encoder.embed_text([names[0] for names in captions])
    return Partition(domains, centroids, centroids.clone(), encoder.name, encoder.fingerprint)


def bank(data: bytes, folder: Path) -> None:
    """A bank folder in which one file is replaced; one that can be read can be written."""
    network, _, source = _models(folder)
    copy = _with_replaced_file(data, folder, source)
    try:
        loaded = AdapterBank(network)
        keys = loaded.load(copy)
        loaded.activate(keys[0])
        loaded.activate(None)
        domains = read_bank(copy)
        write_bank(folder / "out", list(domains.values()), {})
        for key in domains:
            write_json(folder / "out" / key / "x.json", {})
        shutil.rmtree(folder / "out")
    finally:
        _restore(copy, source)


def adapter(data: bytes, folder: Path) -> None:
    """An adapter folder: its description or its tensors."""
    network, _, source = _models(folder)
    copy = _with_replaced_file(data, folder, source / "domain0")
    try:
        load_adapter(copy, network, network.sha256())
    finally:
        _restore(copy, source / "domain0")


def weights(data: bytes, folder: Path) -> None:
    """Files of tensors, read as a base and as an encoder: safetensors, plain and pickled checkpoints."""
    suffix, rest = _choice(data, (".safetensors", ".pt", ".ckpt"))
    path = _file(folder, f"weights{suffix}", rest)
    for reader in (load_base, load_encoder):
        try:
            cast(Callable[[Path], object], reader)(path)
        except InputError as error:
            refusal = error
    raise refusal


def pickled(data: bytes, folder: Path) -> None:
    """Pickled checkpoints and published adapters, which must never execute code."""
    path = _file(folder, "cluster0_model.pt", data)
    network = _small_network()
    with contextlib.suppress(InputError):
        read_base_state(path)
    from_published(read_published(path), network, network.sha256())


def audio(data: bytes, folder: Path) -> None:
    """Audio files of any suffix, whole, truncated and damaged: headers, ranges, blocks, resampling, checks."""
    suffix, rest = _choice(data, SUFFIXES)
    path = _file(folder, f"sound{suffix}", rest)
    check_clip(path, "decode")
    info = audio_info(path)
    for start, end in ((0.0, 0.1), (info.seconds / 2, None)):
        try:
            read_audio(path, start, end)
        except InputError:
            continue
    sizes = [min(1 << 16, info.frames - first) for first in range(0, min(info.frames, 1 << 20), 1 << 16)]
    try:
        for _ in read_blocks(path, sizes):
            pass
    except InputError:
        pass
    read_mono(path, 32000)


def ffmpeg(data: bytes, folder: Path) -> None:
    """Containers that FFmpeg decodes."""
    source = measure(_file(folder, "sound.m4a", data))
    for first in (0, source.info.frames // 2):
        with source.open(first) as read:
            read(1 << 16)


def listing(data: bytes, folder: Path) -> None:
    """``separate --list``, its spans, and the names of its outputs, which stay inside the output folder."""
    variant, rest = _choice(data, range(3))
    if variant == 1:
        parse_spans(rest.decode(errors="replace"))
        return
    if variant == 2:
        name_parts(rest.decode(errors="replace").split("\n")[:50])
        return
    info = audio_info(_wav(folder))
    output, suffix = folder / "out", suffix_of(info, Output())
    for recording in find_recordings((), _file(folder, "list.tsv", rest), [Query("rain")])[:50]:
        queries = list(named(recording.queries))
        place = (output / recording.name).parent
        for path in target_paths(place, Path(recording.name).name, queries, set(), suffix).values():
            assert path.resolve().is_relative_to(output.resolve()), path
        _probe(recording.path)


def _probe(path: Path) -> None:
    """Read a recording's header, as ``separate`` does."""
    try:
        audio_info(path)
    except InputError:
        return


def _wav(folder: Path) -> Path:
    from dplass_cli.audio.writing import write_audio
    from dplass_cli.sounds import render

    path = folder / "sound.wav"
    if not path.exists():
        write_audio(path, render("rain", 1, 0.5, 16000)[None], 16000, "PCM_16")
    return path


def sentences(data: bytes, folder: Path) -> None:
    """Sentences in any script, and empty ones."""
    from dplass_cli.server.job_runner import parse_queries

    texts = data.decode(errors="replace").split("\n")[:20]
    assert bundled_encoder().embed_text([text[:2000] for text in texts]).isfinite().all()
    name_parts([query.name for query in parse_queries([("query", text) for text in texts])])


def results(data: bytes, folder: Path) -> None:
    """An evaluation folder: compared, listed, resumed."""
    source = folder / "valid-results"
    if not source.is_dir():
        valid_results(source)
    copy = _with_replaced_file(data, folder, source)
    try:
        scan_results(copy.parent / "folder")
        compare_runs([read_run(source), read_run(copy)])
        with ItemRecords(copy, "key", lambda names: {}) as rows:
            rows.merge({"0": ["base"]})
    finally:
        _restore(copy, source)


def valid_results(folder: Path) -> None:
    """A finished evaluation of two items with two conditions."""
    head = "# key\n" + ",".join(COLUMNS) + "\n"
    lines = [
        ",".join({"idx": i, "query": "rain", "adapter": run, "sha256": "ab"}.get(name, "1.5") for name in COLUMNS[:-1])
        + ",\n"
        for i in "01"
        for run in ("base", "domain0")
    ]
    folder.mkdir(parents=True)
    (folder / "items.csv").write_text(head + "".join(lines))
    (folder / "choices.csv").write_text("idx,group,base,text\n0,a,base,domain0\n1,b,base,domain0\n")
    score = {
        "sdri": 1.5,
        "sdri_ci": [1.0, 2.0],
        "si_sdr": 1.5,
        "regret": None,
        "accuracy": None,
        "n": 2,
        "bound": False,
    }
    write_json(
        folder / "results.json",
        {
            "format": "dplass-evaluation-1",
            "benchmark": "custom",
            "aggregation": "mean",
            "policies": {"base": score, "text": score},
        },
    )


def cache_folder(data: bytes, folder: Path) -> None:
    """A cache of embeddings with a damaged file; incomplete entries count as absent."""
    import numpy as np

    from dplass_cli.encoders.cache import embedding_key

    encoder = bundled_encoder()
    keys = [embedding_key(name) for name in "abc"]
    source = folder / "valid-cache"
    if not source.is_dir():
        EmbeddingCache(source, encoder).add(keys, np.ones((3, encoder.size), np.float32))
    copy = _with_replaced_file(data, folder, source)
    try:
        check_encoder(copy, encoder)
        opened = EmbeddingCache(copy, encoder)
        assert all(vector is None or (vector == 1).all() for vector in opened.get(keys))
        opened.add(keys[:1], np.ones((1, encoder.size), np.float32))
    finally:
        _restore(copy, source)


def lock_file(data: bytes, folder: Path) -> None:
    """The lock file of fetched weights."""
    WeightsStore(folder, _file(folder, "lock.json", data)).pinned()


@cache
def _server(folder: Path) -> tuple[Any, Any, asyncio.AbstractEventLoop]:
    from dplass_cli.options.serve_options import ServeOptions
    from dplass_cli.server.http_app import make_app
    from dplass_cli.server.job_queue import JobQueue
    from dplass_cli.server.job_runner import SeparationRunner

    config = SimpleNamespace(sample_rate=32000)
    bank = SimpleNamespace(keys=[], network=SimpleNamespace(config=config))
    separator = SimpleNamespace(bank=bank, encoder=SimpleNamespace(kinds=(), embeds_audio=False))
    runner = SeparationRunner(cast(Any, separator))
    (folder / "jobs").mkdir()
    jobs = JobQueue(lambda job, report: (), folder / "jobs")  # not started: the target takes the queued jobs itself
    options = ServeOptions(max_upload_mb=0.065536, max_seconds=60.0)
    return make_app(jobs, runner, options), jobs, asyncio.new_event_loop()


def request(data: bytes, folder: Path) -> None:
    """A request to the page: ``METHOD target``, header lines, a blank line, a body."""
    from dplass_cli.server.job_runner import _write_playable_wav

    app, jobs, loop = _server(folder)
    head, _, body = data.partition(b"\n\n")
    first, *lines = head.split(b"\n")
    method, _, target = first.partition(b" ")
    raw_path, _, query = urllib.parse.quote_from_bytes(target, safe="/%?&=+").encode().partition(b"?")
    headers = [(name.strip().lower(), value.strip()) for name, _, value in (line.partition(b":") for line in lines)]
    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "scheme": "http",
        "server": ("127.0.0.1", 7860),
        "client": ("127.0.0.1", 1),
        "root_path": "",
        "method": method.decode("latin-1").upper(),
        "path": urllib.parse.unquote(raw_path.decode("ascii")),
        "raw_path": raw_path,
        "query_string": query,
        "headers": headers,
    }
    blocks = [body[at : at + 4096] for at in range(0, len(body), 4096)] or [b""]
    sent: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": blocks.pop(0), "more_body": bool(blocks)} if blocks else _disconnect()

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    loop.run_until_complete(app(scope, receive, send))
    status = next(message["status"] for message in sent if message["type"] == "http.response.start")
    content = b"".join(message.get("body", b"") for message in sent)
    assert status < 500 or status == 507, (status, content[:200])
    assert str(folder).encode() not in content, content[:500]
    for job in list(jobs._queue):
        try:
            _write_playable_wav(
                job.upload, job.folder / "recording.wav", job.info, lambda step, fraction, progress: None
            )
        except InputError:
            pass
        finally:
            jobs.drop(job.id)
    for recording in list(jobs.recordings._recordings):
        jobs.recordings.drop(recording)
    assert not list((folder / "jobs").iterdir()), "files were left behind"


def _disconnect() -> dict[str, Any]:
    return {"type": "http.disconnect"}


def plain_json(data: bytes, folder: Path) -> None:
    """Arbitrary JSON; a value that can be read can be written."""
    write_json(folder / "again.json", read_json(_file(folder, "some.json", data)))


TARGETS = {
    target.name: target
    for target in (
        Target("audioset", audioset),
        Target("manifest", manifest),
        Target("corpus", corpus),
        Target("benchmark", benchmark),
        Target("options", options),
        Target("partition", partition),
        Target("bank", bank),
        Target("adapter", adapter),
        Target("weights", weights),
        Target("pickled", pickled),
        Target("audio", audio),
        Target("ffmpeg", ffmpeg),
        Target("listing", listing),
        Target("sentences", sentences),
        Target("results", results),
        Target("cache", cache_folder),
        Target("lock", lock_file),
        Target("request", request),
        Target("json", plain_json),
    )
}
