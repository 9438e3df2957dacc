"""Messages that are nothing but a greeting, thanks or a goodbye, in many languages, mistyped or with emoji. Pure.

An encoder of one language does not know the thanks of others, and a customer who says "gracias" wants no person. What
is not all courtesy is none: "thanks, but where is my order" is a request.
"""

from __future__ import annotations

import re
from collections.abc import Collection

from bot.near_words import close

INTENTS = {
    "greet": ("greet", "greeting", "greetings", "hello", "hi"),
    "thank": ("thank", "thanks", "thank_you", "thankyou", "say_thanks"),
    "goodbye": ("goodbye", "bye", "good_bye", "farewell"),
}
"""What projects call them."""
_GREET = (
    "hi|hello|hey|hiya|howdy|greetings|good morning|morning|good evening|good afternoon|good day|hallo|"
    "guten tag|guten morgen|guten abend|moin|servus|bonjour|bonsoir|salut|hola|buenos días|buenas tardes|"
    "buenas|ciao|buongiorno|buonasera|salve|olá|bom dia|boa tarde|hej|hei|hallå|goedemorgen|goedendag|"
    "cześć|dzień dobry|ahoj|dobrý den|привет|здравствуйте|merhaba|selam|مرحبا|السلام عليكم|你好|您好|こんにちは|"
    "안녕하세요|नमस्ते|👋"
)
_THANK = (
    "thanks|many thanks|thank you|thank u|thankyou|thx|thnx|tnx|ty|tysm|cheers|ta|much appreciated|appreciated|danke|"
    "danke schön|danke dir|vielen dank|besten dank|herzlichen dank|merci|merci beaucoup|gracias|"
    "muchas gracias|mil gracias|grazie|grazie mille|obrigado|obrigada|muito obrigado|muito obrigada|"
    "dank je|dank u|dankjewel|bedankt|tack|tack så mycket|tak|mange tak|takk|tusen takk|kiitos|dziękuję|"
    "dzięki|děkuji|díky|hvala|mulțumesc|ευχαριστώ|спасибо|большое спасибо|дякую|teşekkürler|"
    "teşekkür ederim|sağol|شكرا|شكرا جزيلا|תודה|谢谢|謝謝|谢谢你|"
    "多谢|非常感谢|感谢|ありがとう|ありがとうございます|감사합니다|고마워요|धन्यवाद|"
    "cảm ơn|terima kasih|salamat|🙏|❤"
)
_GOODBYE = (
    "bye|bye bye|goodbye|good bye|see you|see ya|see you later|cya|later|good night|take care|tschüss|"
    "auf wiedersehen|au revoir|adiós|adios|hasta luego|arrivederci|tchau|até logo|tot ziens|hej då|"
    "до свидания|пока|再见|さようなら"
)
_AROUND = (
    "a lot|so much|very much|again|for your help|for the help|for everything|for all|there|all|team|"
    "everyone|everybody|folks|mate|guys|bot|sir|madam|ok|okay|great|perfect|awesome|cool|super|nice|and|"
    "you|everything|really|indeed|have a nice day|have a good one|have a great day|por tu ayuda|"
    "por su ayuda|por todo|für die hilfe|für ihre hilfe|pour votre aide|pour tout|per l'aiuto|pela ajuda|"
    "amigo|beaucoup|mille|then|that's all|that is all|nothing else|no|yes"
)
_SIGNS = re.compile(r"[^\w\s']+")
_EMOJI = re.compile(r"([\U0001F300-\U0001FAFF❤])\ufe0f?")
# A thumb up is left out: to a question of the desk it says yes.
_PICTURES = ("👋", "🙏", "❤")


def _said(words: str) -> dict[str, None]:
    return dict.fromkeys(sorted(words.split("|"), key=len, reverse=True))


_KINDS = {"thank": _said(_THANK), "goodbye": _said(_GOODBYE), "greet": _said(_GREET)}
_FILLER = _said(_AROUND)
_LONGEST = 6
_TYPO = 5


def courtesy(text: str) -> str | None:
    "greet |"
    " thank | goodbye when the message is that and nothing more; thanks come before a goodbye and a greeting."
    plain = text.casefold().replace("’", "'")
    words = _words(_EMOJI.sub(lambda match: f" {match[1]} " if match[1] in _PICTURES else " ", plain))
    found: set[str] = set()
    at = 0
    while at < len(words):
        size, kind = _longest(words[at : at + _LONGEST])
        if not size:
            return None
        found |= {kind} if kind else set()
        at += size
    return next((kind for kind in _KINDS if kind in found), None)


def _words(text: str) -> list[str]:
    return " ".join(part if part in _PICTURES else _SIGNS.sub(" ", part) for part in text.split()).split()


def _longest(words: list[str]) -> tuple[int, str]:
    """How many words from the first on are courtesy, and of which kind ("" for what stands around one)."""
    for size in range(len(words), 0, -1):
        said = " ".join(words[:size])
        for kind, phrases in _KINDS.items():
            if said in phrases:
                return size, kind
        if said in _FILLER:
            return size, ""
    for size in range(len(words), 0, -1):
        said = " ".join(words[:size])
        for kind, phrases in _KINDS.items():
            if len(said) >= _TYPO and any(close(said, one) for one in phrases if len(one) >= _TYPO):
                return size, kind
    return 0, ""


def courteous_intent(text: str, labels: Collection[str]) -> str | None:
    """The desk's own intent for a message that is only courtesy; None when it is more, or the desk has none for it."""
    kind = courtesy(text)
    return next((name for name in INTENTS[kind] if name in labels), None) if kind else None
