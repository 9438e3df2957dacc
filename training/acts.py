"""A small dialogue-act classifier: which sentences carry no content of their own.

Nearest seeds in the encoder's space, three at a time; the seeds below are ours. Content sentences are the rest class:
they have seeds too, so that "thanks, but where is my parcel" is no thanks.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from retrieval.types import Matrix

SEEDS: dict[str, tuple[str, ...]] = {
    "greet": (
        "hi", "hello", "hey there", "good morning", "good afternoon", "hello, how can I help you?", "hi there, how are you?",
        "welcome to our support chat", "thanks for contacting us", "hi <NAME>, thanks for getting in touch", "my name is <NAME> and I will help you",
        "you're speaking with <NAME>", "how may I assist you today?", "dear customer", "good evening, what can I do for you?", "hiya",
        "thank you for choosing us", "thank you for writing to us", "good afternoon and thank you for your message", "great question", "no panic", "that is no problem",
    ),
    "hold": (
        "one moment please", "let me check that for you", "just a second", "please hold on while I look into it", "bear with me",
        "give me a minute to look this up", "I'm checking now", "thanks for waiting", "sorry for the wait", "let me have a look",
        "one sec", "I'll be right back", "thank you for your patience", "allow me a moment to find your details",
        "looking", "checking", "on it", "let me find it", "right, give me a minute to find it", "I am opening your order", "one second, I'm opening your account",
        "I shall look into this directly, please bear with me", "ok give me two minutes, be right back", "I'm just pulling that up", "bear with me a tick",
        "I'll take a look at it right away", "let me ask a colleague", "brb", "sorry to hear that, let me see what I can do",
    ),
    "close": (
        "bye", "goodbye", "have a nice day", "is there anything else I can help you with?", "anything else?", "take care",
        "have a great weekend", "thank you for chatting with us, goodbye", "glad I could help", "you're welcome", "no problem",
        "my pleasure", "feel free to reach out again", "best regards", "kind regards, <NAME>", "cheers, <NAME>", "happy to help",
        "haha", "aww, love that", "how delightful", "yay, any time", "enjoy", "have fun", "sweet, have a good one", "glad that's sorted", "take care then",
        "I'm a real person, promise", "yes, I am human", "that is kind of you to say", "all done then", "sorry about that", "oh no, really sorry",
        "please rate this chat", "understood, sorry", "sorry for the trouble", "lovely to hear", "you too",
    ),
    "thanks": (
        "thanks", "thank you so much", "great, thanks", "perfect, thank you", "thanks a lot for your help", "ok thanks", "awesome",
        "that helps, thanks", "cool", "much appreciated", "brilliant, cheers", "no that's all, thanks", "no, that was everything",
    ),
    "ack": (
        "ok", "yes", "no", "yes please", "sure", "alright", "right", "got it", "I see", "hmm", "yes that's correct", "no thank you",
        "fine", "okay will do", "that's right", "sounds good", "<ORDER>", "it's <ORDER>", "<EMAIL>", "<NAME>", "my name is <NAME>",
    ),
    "content": (
        "where is my order?", "I want to return this jacket", "how do I change my address?", "the zip is broken", "can I get a refund?",
        "do you ship abroad?", "I was charged twice", "my discount code does not work", "what are your opening hours?", "I forgot my password",
        "you can return it within 30 days", "your refund takes five working days", "please send us a photo of the damage",
        "shipping is free over fifty dollars", "I have cancelled the order", "you will find the label in your account",
        "could you give me your order number?", "which size do you need?", "we do not offer that", "the flight is delayed",
        "that is not possible, I'm afraid", "I have reset it for you", "can you tell me the day?", "I need help booking a room",
        "your balance is 50 dollars", "the parcel is on its way", "sorry about that, we will replace it", "it should arrive on Monday",
        "thanks, but it still does not work", "hi, I have a question about my bill", "ok and how long does that take?", "what is the weather?",
    ),
}  # fmt: skip
PHATIC = frozenset(SEEDS) - {"content"}
_SENTENCE = re.compile(r"(?<=[.!?…])(?<!\n\d\.)(?<!\A\d\.)\s+|\n+")  # the number of a step belongs to it
_WORD = re.compile(r"[^\W\d_]+|<\w+>")
_SIGNATURE = re.compile(
    r"(?:\s+[-–—^*~/]\s?(?!(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun)(?:[a-z]*day)?\b)[A-Z][A-Za-z]{0,14}|\s*\n[-–—]?\s?<NAME(?:_\d+)?>)\s*$"
)
# Up to three words may follow a greeting ("Dear valued customer,"), none that begins to say something ("Hi, I need ...").
_SALUTATION = re.compile(
    r"^(?:dear|hi|hello|hey|good (?:morning|afternoon|evening))\b"
    r"(?:\s+(?!(?:i|my|you|your|we|our|it|is|are|the|this|that|a|can|could|do|does|how|what|where|when|why|please)\b)"
    r"[^\s,.!?:]+){0,3}\s*[,!:]\s+",
    re.IGNORECASE,
)
_LONGEST_PHATIC = 12


def sentences(text: str) -> list[str]:
    """Split on end marks and line breaks; a signature (`^TM`, `- Anna`) and a salutation (`Dear Anna,`) are dropped."""
    bare = _SIGNATURE.sub("", text)
    bare = _SALUTATION.sub("", bare) or bare
    return [part.strip() for part in _SENTENCE.split(bare) if part.strip()]


def joined(kept: Sequence[str], text: str) -> str:
    """Sentences of `text`, in its order, put together again: lines and paragraphs stay apart as they were in `text`."""
    out, end = "", 0
    for sentence in kept:
        start = text.index(sentence, end)
        breaks = text[end:start].count("\n")
        out += ("\n" * min(2, breaks) or " ") + sentence
        end = start + len(sentence)
    return out.strip()


class Acts:
    """`of(texts)` names each text's act: greet | hold | close | thanks | ack | content."""

    def __init__(self, encode: Callable[[Sequence[str]], Matrix]) -> None:
        self._encode = encode
        self._names = [name for name, texts in SEEDS.items() for _ in texts]
        self._seeds = encode([text for texts in SEEDS.values() for text in texts])
        self._acts = sorted(SEEDS)

    def of(self, texts: Sequence[str]) -> list[str]:
        unique = list(dict.fromkeys(texts))
        names = dict(zip(unique, self._classify(unique), strict=True))
        return [names[text] for text in texts]

    def _classify(self, texts: Sequence[str]) -> list[str]:
        if not texts:
            return []
        similar = self._encode(texts) @ self._seeds.T
        votes = np.zeros((len(texts), len(self._acts)), np.float32)
        for column, name in enumerate(self._names):
            act = self._acts.index(name)
            votes[:, act] = np.maximum(votes[:, act], similar[:, column])
        best: NDArray[np.int64] = votes.argmax(1)
        sure = votes.max(1) > 0.55
        return [
            self._acts[i] if ok and len(_WORD.findall(text)) <= _LONGEST_PHATIC else "content"
            for i, ok, text in zip(best.tolist(), sure.tolist(), texts, strict=True)
        ]
