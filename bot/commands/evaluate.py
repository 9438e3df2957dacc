"""`deskhand evaluate`: how good is it, on anybody's files? The keys of the JSON are a contract (docs/evaluation.md)."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from bot.commands.progress import Report, bar
from bot.commands.tables import print_table
from bot.settings import Settings
from bot.transcript import Transcript, TranscriptFolder, read
from retrieval.bundle import Bundles
from retrieval.errors import BadInput, NotFound

if TYPE_CHECKING:
    from training.config import TrainingConfig
    from training.scores import Scores

app = typer.Typer(help="Measure a bundle, or train on your files and measure that.", no_args_is_help=True)
console = Console(highlight=False, soft_wrap=True)

AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object and nothing else.")]
Seed = Annotated[int | None, typer.Option(help="Seed of draws and training; default: that of training.yml.")]
Data = Annotated[Path | None, typer.Option("--data", help="Data directory (DESKHAND_DATA_DIR).")]
ConfigDir = Annotated[Path | None, typer.Option("--config", help="Configuration directory (DESKHAND_CONFIG_DIR).")]
Work = Annotated[Path | None, typer.Option(help="Keep what is trained here; default: thrown away.")]


@app.command()
def intents(
    train: Annotated[Path, typer.Option(help='JSONL {"text", "intent"}; intent null or absent: out of scope.')],
    test: Annotated[Path, typer.Option(help="The same, never seen in training.")],
    shots: Annotated[int | None, typer.Option(min=1, help="Train on at most this many rows of an intent.")] = None,
    unlabelled: Annotated[
        Path | None, typer.Option(help='JSONL {"text"}: messages to learn from whose intents nobody knows.')
    ] = None,
    begin: Annotated[Path | None, typer.Option("--start", help="A bundle directory whose encoder is kept.")] = None,
    seed: Seed = None,
    as_json: AsJson = False,
    config: ConfigDir = None,
    work: Work = None,
) -> None:
    """Intent accuracy and out-of-scope detection."""
    from retrieval.engine import Engine
    from training.evaluate import evaluate_intents
    from training.labelled import train_intents
    from training.rows import check_trainable, draw_shots, read_intents

    rows, asked = read_intents(train), read_intents(test)
    loose = [text for text, _ in read_intents(unlabelled)] if unlabelled else []
    recipe = _recipe(config, seed)
    rows = rows if shots is None else draw_shots(rows, shots, seed=recipe.seed)
    check_trainable(rows, train)
    with _workplace(work) as place, bar() as report:
        start = time.perf_counter()
        bundle = train_intents(rows, config=recipe, work=place, start=begin, unlabelled=loose)
        seconds = time.perf_counter() - start
        engine = Engine.load(bundle)
        found = evaluate_intents(engine, asked, progress=lambda done, total: report("test", done, total, ""))
    why = engine.manifest.encoder["why"]
    _print({**found, "train_seconds": seconds, "n_train": len(rows), "why": why}, as_json=as_json)


@app.command()
def entities(
    train: Annotated[Path, typer.Option(help='JSONL {"text", "entities": [{"entity", "start", "end"}]}.')],
    test: Annotated[Path, typer.Option(help="The same, never seen in training.")],
    seed: Seed = None,
    as_json: AsJson = False,
    config: ConfigDir = None,
    work: Work = None,
) -> None:
    """Entities found by a head that is trained on the token states of the encoder."""
    from retrieval.entities import Recogniser
    from training.entities import Annotations, evaluate_entities, train_entities
    from training.rows import read_entities

    rows, asked = read_entities(train), read_entities(test)
    recipe = _recipe(config, seed)
    with _workplace(work) as place, bar() as report:
        start = time.perf_counter()
        head, encoder = train_entities(Annotations(rows), recipe, place, progress=report)
        seconds = time.perf_counter() - start
        report("test", 0, 1, f"{len(asked)} messages")
        found = evaluate_entities(head, encoder, Recogniser(recipe.mining.entities), asked)
    _print({**found, "train_seconds": seconds, "n_train": len(rows)}, as_json=as_json)


@app.command()
def induction(
    turns: Annotated[Path, typer.Option(help='JSONL {"text"} and any of id, dialogue, intent (scoring only).')],
    test: Annotated[Path | None, typer.Option(help='JSONL {"text", "intent"}; scores an engine of the labels.')] = None,
    out: Annotated[Path, typer.Option(help="Where the induced label of every row goes.")] = Path("induced.jsonl"),
    seed: Seed = None,
    as_json: AsJson = False,
    config: ConfigDir = None,
    work: Work = None,
) -> None:
    """Find kinds of request in texts without labels."""
    from retrieval.engine import Engine
    from training.base import base_encoder, with_base
    from training.evaluate import evaluate_induced, evaluate_induction
    from training.labelled import train_intents
    from training.mine import induce
    from training.rows import read_intents, read_turns

    rows, asked = read_turns(turns), read_intents(test) if test else []
    recipe, _ = with_base(_recipe(config, seed), [row.text for row in rows])
    with _workplace(work) as place:
        encoder = base_encoder(recipe, place, [row.text for row in rows])
        start = time.perf_counter()
        labels = induce([row.text for row in rows], encoder.encode, recipe)
        seconds = time.perf_counter() - start
        _write_labels(out, [(row.id, label, row.text) for row, label in zip(rows, labels, strict=True)])
        found = {**evaluate_induction(rows, labels), "seconds": seconds, "labels": str(out)}
        if asked:
            texts = [(row.text, label) for row, label in zip(rows, labels, strict=True)]
            engine = Engine.load(train_intents(texts, config=recipe, work=place))
            found |= evaluate_induced(engine, asked)
    _print(found, as_json=as_json)


def _write_labels(path: Path, rows: Sequence[tuple[str, str, str]]) -> None:
    lines = (json.dumps({"id": id, "label": label, "text": text}, ensure_ascii=False) for id, label, text in rows)
    try:
        path.write_text("\n".join(lines) + "\n", "utf-8")
    except OSError as error:
        raise BadInput(f"the labels cannot be written to {path}: {error.strerror}; give --out FILE") from error


@app.command()
def replay(
    train: Annotated[Path | None, typer.Option(help="transcript/1 JSONL to train on; needs --test.")] = None,
    test: Annotated[Path | None, typer.Option(help="transcript/1 JSONL; default: what the bundle never saw.")] = None,
    bundle: Annotated[str | None, typer.Option(help="Bundle to replay through; default: the one in service.")] = None,
    report: Annotated[Path | None, typer.Option(help="Also write the report in plain words here.")] = None,
    seed: Seed = None,
    as_json: AsJson = False,
    data: Data = None,
    config: ConfigDir = None,
    work: Work = None,
) -> None:
    """What would the bot have done in conversations that it never saw?"""
    settings = Settings.build(data_dir=data, config_dir=config)
    if train is not None:
        if test is None or bundle is not None:
            raise BadInput("--train needs --test FILE, and no --bundle: the bundle is trained here")
        scores, counts = _trained(train, test, settings, _recipe(config, seed), work)
    else:
        scores, counts = _existing(settings, bundle, test)
    if report is not None:
        from training.report import report as in_words

        report.write_text(in_words(scores), "utf-8")
    _print({**scores.summary(seed=seed or 0), **counts}, as_json=as_json)


def _trained(
    train: Path, test: Path, settings: Settings, recipe: TrainingConfig, work: Path | None
) -> tuple[Scores, dict[str, int]]:
    from bot.config import load_config
    from training.promote import replay
    from training.run import train as run

    past, later = _conversations(train), _conversations(test)
    if both := {t.id for t in past} & {t.id for t in later}:
        raise BadInput(f"{len(both)} conversations are in both files, such as {min(both)!r}; the test must be unseen")
    budget = load_config(settings.config_dir).error_budget
    whole = recipe.model_copy(update={"test_share": 0.0})
    with _workplace(work) as place, bar() as report:
        id = run(whole, past, bundles=place / "bundles", work=place, error_budget=budget, progress=report)
        scores = replay(place / "bundles" / id, later, training=past, error_budget=budget, progress=_replaying(report))
    return scores, {"n_train": len(past), "n_test": len(later)}


def _existing(settings: Settings, bundle: str | None, test: Path | None) -> tuple[Scores, dict[str, int]]:
    from bot.config import load_config
    from training.config import load_config as recipe
    from training.promote import held_out, replay

    bundles = Bundles(settings.bundles)
    id = bundle or bundles.current()
    if id is None:
        raise NotFound(f"no bundle in service in {settings.bundles}; run `deskhand train`, or give --train and --test")
    logged = list(TranscriptFolder(settings.transcripts).read())
    share = recipe(settings.config_dir / "training.yml").test_share
    later = _conversations(test) if test else held_out(bundles, [id], logged, share=share)
    budget = load_config(settings.config_dir).error_budget
    with bar() as report:
        scores = replay(bundles.path(id), later, training=logged, error_budget=budget, progress=_replaying(report))
    return scores, {"n_test": len(later)}


def _replaying(report: Report) -> Any:
    return lambda done, total: report("replay", done, total, "")


def _conversations(path: Path) -> list[Transcript]:
    found = list(read(path))
    if not found:
        raise BadInput(f"{path} holds no conversation; give transcript/1 JSONL (`deskhand transcripts export`)")
    return found


@app.command()
def knowledge(
    documents: Annotated[Path, typer.Option(help='JSONL {"id", "title", "text"}.')],
    questions: Annotated[Path, typer.Option(help='JSONL {"id", "text", "context": [...], "gold": [ids]}.')],
    bundle: Annotated[str | None, typer.Option(help="Use its encoder; default: the untuned encoder.")] = None,
    as_json: AsJson = False,
    data: Data = None,
    config: ConfigDir = None,
    work: Work = None,
) -> None:
    """Does the search find the document that answers a question?"""
    from retrieval.engine import Engine
    from training.base import base_encoder, with_base
    from training.evaluate import document_search, evaluate_knowledge
    from training.rows import check_gold, read_documents, read_questions

    shelf, asked = read_documents(documents), read_questions(questions)
    check_gold(asked, shelf, questions)
    bundles = Bundles(Settings.build(data_dir=data).bundles)
    recipe, _ = with_base(_recipe(config, None), [question.text for question in asked])
    with _workplace(work) as place, bar() as report:
        report("index", 0, 1, f"{len(shelf)} documents")
        encoder = Engine.load(bundles.path(bundle)) if bundle else base_encoder(recipe, place)
        search = document_search(shelf, encoder.encode)
        report("index", 1, 1, f"{len(shelf)} documents")
        found = evaluate_knowledge(asked, search, progress=lambda done, total: report("questions", done, total, ""))
    _print(found, as_json=as_json)


def _recipe(config: Path | None, seed: int | None) -> TrainingConfig:
    from training.config import load_config

    recipe = load_config(Settings.build(config_dir=config).config_dir / "training.yml")
    return recipe if seed is None else recipe.model_copy(update={"seed": seed})


@contextmanager
def _workplace(kept: Path | None) -> Iterator[Path]:
    if kept is not None:
        kept.mkdir(parents=True, exist_ok=True)
        yield kept
        return
    with TemporaryDirectory(prefix="deskhand-") as scratch:
        yield Path(scratch)


def _print(found: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps(found, ensure_ascii=False, allow_nan=False))
        return
    table = Table(box=None, show_header=False)
    for key, value in found.items():
        if not isinstance(value, list | dict):
            table.add_row(key, f"{value:.4f}" if isinstance(value, float) else str(value))
    print_table(table)
