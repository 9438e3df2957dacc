"""Finds the names that people give of themselves or are greeted with. No list of names: the situation tells.

Everything here looks at the words after (or before) a telling phrase; a list of common words keeps "I'm happy",
"this is ridiculous" and "Hi there" what they are.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

COMMON = frozenset(
    """
    a able about absolutely account actually afraid after afternoon again agent ago agreed ah all almost already
    alright also always am amazing american an and angry annoyed another any anyone anything anytime apologies
    appalled april are aren as asap ask asking assistant at august australian available aware away awesome awful back
    bad based be because been before behind being best better beyond black bless blue bored bot brilliant british bro
    broke buddy busy but buy buying by bye call called calling can canadian cancel cannot card care case certainly
    chat check checking chief chinese classic code cold coming company complaint concerned confused contact cool
    correct could curious customer customers cya damaged day days dead dear december delayed delivery department
    desperate diamond did different disappointed disgusted do does doesn doing don done down dr dude due dutch each
    early ecstatic eight either email english enough even evening ever every everybody everyone everything exactly
    excellent expecting experiencing extremely fantastic farewell february fed few final finally fine first five
    flight folks for forward four free french friday friend from frustrated fully fun furious gentlemen gents german
    get getting give given giving glad go going gold gone good goodbye goodnight got grateful great green grounded
    guest guys had happy hard has hasn have having he heartbroken hello help helpful her here hey hi him his hmm hola
    holding home honey hopeful hoping horrible hour hours how hungry i if ill immediately important in inc incorrect
    incorrectly indeed indian information inquiring interested into irish is isn it italian item its january japanese
    job july june just keep kind kinda know ladies last late later least leaving left let like literally little live
    livid living ll locked long look looking lost lot lovely ltd lucky ma mad madam made make man manager many march
    married mate may maybe me mean member message mexican might mine minute miss misspelled mister monday money month
    more morning most mr mrs ms much must mx my name named names need needs nervous never nevermind new next nice
    night nine no nobody none nope not noted nothing november now number o october of off offended oh ok okay old on
    once one online only open optimistic or order other our out over package paid pal parcel past pay paying peace
    pending perfect phone platinum please pleased pls plz premium pretty priority private problem product proud
    purchase put question quick quite re ready real really received receiving red refund regarding regards registered
    reply represent request reservations return returned returning right ring rude running russian sad same saturday
    say saying scottish seeing seems sent september service seven several shall she shipping shocked shop should
    showing shown sick silver simply since sir sirius sirs six size sleeping so some someone something soon sorry
    spanish speaking speechless spelled spelt standing starting stating still store stranded struggling stuck student
    such sunday super support supposed sure swedish t talk talking team tell ten terrible than thank thankful thanks
    that the their them then there these they thing things thinking third thirteen this those three thrilled thursday
    time tired to today together tomorrow tonight too totally transferred traveling travelling tried trying tuesday
    turkish tweeting twelve twenty two u unable under understand understood unhappy until up upset ur urgent us use
    user using utterly valued ve vegan very via vip visa wait waiting want wanted wanting was wasn we wednesday week
    weekend weeks welcome well were what whatever whats when where which while white who whole why will willing wish
    with within without won wonderful wondering working worried worry worse worst would wow writing wrong ya yeah year
    years yellow yep yes yesterday yet you your youre yours yourself
    """.split()
)

_WORD = r"[^\W\d_]+(?:['’-][^\W\d_]+)*"
_WORDS = re.compile(rf"{_WORD}")
_STRONG = re.compile(
    r"(?i)\b(?:my|full|first|last|the|customer|her|his)\s++name(?:['’]?s|\s++is|\s++was|\s?:)\s++|\bname(?:['’]s|\s++is|\s?:)\s++"
    r"|\bi\s++am\s++called\s++|\bi['’]m\s++called\s++|\b(?:mr|mrs|ms|mx|dr)\b\.?\s++|\bplease\s++call\s++me\s++"
    r"|\b(?:under|in)\s++the\s++name(?:\s++of)?\s++"
)
_WEAK = re.compile(
    r"(?i)\b(?:i['’]?m|i\s++am|this\s++is|it['’]?s"
    r"|you(?:['’]re|\s++are)\s++(?:speaking|chatting|talking|through)\s++(?:to|with))\s++"
)
_GREETING = re.compile(
    r"(?i)(?:^|[.!?]\s++)(?:hi|hiya|hello|hey|heya|ahoy|howdy|dear|thanks|thank\s++you|sorry|good\s++(?:morning|afternoon|evening)),?\s++"
)
_SIGN_OFF = re.compile(
    r"(?i)\b(?:regards|best|cheers|sincerely|thanks|thank\s++you|yours|love|greetings|wishes)\s*+[,!.\n–-]++\s*+"
    rf"({_WORD}(?:\s{_WORD}){{0,2}})(?:[\s.!]*+|\s*+[,(\n][^.!?]{{0,50}})\Z"
)
_SIGNATURE = re.compile(r"(?:^|\s)[-–—~^]([^\W\d_][^\W\d_A-Z][^\W\d_]+)[\s.]*+\Z")
_HERE = re.compile(rf"(?i)(?:^|[.!?,]\s++)({_WORD}(?:\s{_WORD})?)\s++(?:here|speaking)\b")
_HINT = re.compile(
    r"(?i)name|\bi['’]?m\b|\bi am\b|this is|it['’]?s\b|called|call me|\bm(?:r|s|rs|x)\b|\bdr\b|\bhere\b"
    r"|speaking|talking|chatting|through (?:to|with)"
    r"|\b(?:hi|hiya|hello|hey|heya|ahoy|howdy|dear|sorry)\b|thank|good (?:m|a|e)"
)
_TAIL = 120
_AFTER_WEAK = re.compile(
    r"(?i)\s*+(?:[.,!;\n<-]|\Z)|\s++(?:and|from|with|calling|speaking|here|at|in|writing|contacting|again|i|my|we)\b"
)
_AFTER_GREETING = re.compile(r"\s*+(?:[.,!?;:\n<–-]|\Z)")
_INITIAL = re.compile(r"[A-Z]\.")
_ASKS = re.compile(
    r"(?i)\b(?:your|ur)\s++(?:\w{1,10}\s++){0,3}?name\b|\bname\s*+(?:please|\?)|who\s++(?:am\s++i|do\s++i|i\s++am)\b.{0,20}\b(?:speak|talk|chat)"
)
_FILLER = re.compile(
    r"(?i)\W*+(?:(?:sure|yes|ok|okay|of\s++course|yeah|certainly|it\s++is|it['’]?s|that['’]?s|i['’]?m|i\s++am|hi|hello|"
    r"my\s++name\s++is|name)\b\W*+){1,3}"
)

_MAILBOXES = frozenset(
    "info mail office sales contact admin noreply reply service desk shop hello press jobs billing".split()
)


def asks(text: str) -> bool:
    """Whether somebody is asked for a name here, so that the next words may be one."""
    return bool(_ASKS.search(text))


def introduced(
    text: str, *, by_customer: bool = False, given: frozenset[str] = frozenset()
) -> Iterator[tuple[int, int]]:
    """Spans of names that the text itself introduces. A customer's greeting names the company as often as a person.

    `given` are first names in small letters, for those who write "this is anna" without a capital.
    """
    if _HINT.search(text):
        yield from _after_phrases(text, given)
        if not by_customer:
            yield from _greeted(text)
    yield from _signed(text, _SIGN_OFF)
    if not by_customer:
        yield from _signed(text, _SIGNATURE)


def _after_phrases(text: str, given: frozenset[str]) -> Iterator[tuple[int, int]]:
    for match in _STRONG.finditer(text):
        yield from _span(text, match.end(), lower=True)
    for match in _WEAK.finditer(text):
        known = _begins_with(text[match.end() : match.end() + 30], given)
        for start, end in _span(text, match.end(), lower=known):
            if _AFTER_WEAK.match(text, end) and (known or not text[start:end].isupper()):
                yield start, end
    for match in _HERE.finditer(text):
        if _is_name(match[1]) or _begins_with(match[1], given):
            yield match.span(1)


def _begins_with(text: str, given: frozenset[str]) -> bool:
    word = _WORDS.match(text) if given else None
    return word is not None and word.group().lower() in given


def _greeted(text: str) -> Iterator[tuple[int, int]]:
    for match in _GREETING.finditer(text):
        for start, end in _span(text, match.end(), lower=False):
            if _AFTER_GREETING.match(text, end):
                yield start, end


def _signed(text: str, pattern: re.Pattern[str]) -> Iterator[tuple[int, int]]:
    """A name at the very end. Only the tail is searched: long hyphenated text would make the search quadratic."""
    cut = max(0, len(text) - _TAIL)
    match = pattern.search(text, cut)
    while match and not _is_name(match[1]):
        match = pattern.search(text, match.start() + 1)
    if match:
        yield match.span(1)


def answered(text: str) -> Iterator[tuple[int, int]]:
    """The span of the name in a reply to "may I have your name?": one to three words, first in it or alone in it."""
    filler = _FILLER.match(text)
    start = filler.end() if filler else len(text) - len(text.lstrip(" \t\n\"'(*"))
    for begin, end in _span(text, start, lower=True):
        rest = text[end:].lstrip()
        alone = not any(map(str.isalpha, re.sub(r"<[A-Z]+(?:_\d+)?>", "", rest)))
        if (
            alone
            or (text[begin].isupper() and rest[0] in ",.;!\n<-(")
            or (text[begin].isupper() and "\n" in text[end : end + 2])
        ):
            yield begin, end


def _span(text: str, start: int, *, lower: bool) -> list[tuple[int, int]]:
    """The up to three words of a name at `start`, or none; `lower` allows "anna smith"."""
    end, at, capital = start, start, False
    for count in range(3):
        word = _WORDS.match(text, at)
        if not word or len(word.group()) > 30 or (_common(word.group()) and not _INITIAL.match(text, at)):
            break
        upper = word.group()[0].isupper()
        if count == 0:
            capital = upper
            if not (upper or lower) or (len(word.group()) == 1 and not upper):
                break
        elif (capital and not upper) or (not capital and count == 2):
            break
        end = word.end()
        dot = 1 if len(word.group()) == 1 and text[end : end + 1] == "." else 0
        at = end + dot + 1
        if text[end + dot : at] not in (" ", "\t"):
            break
    return [(start, end)] if end > start else []


def _is_name(words: str) -> bool:
    return all(word[0].isupper() and not _common(word) for word in words.split())


def _common(word: str) -> bool:
    """Whether it is a common word or begins with one: "I'm", "We're"; but not "O'Hara"."""
    head = re.split("['’]", word.lower())[0]
    return word.lower() in COMMON or head == "i" or (len(head) > 1 and head in COMMON)


def looks_like_name(value: str) -> bool:
    """Whether an author or customer field holds a person's name rather than a role, an id or a company mailbox."""
    words = value.split()
    plain = 1 <= len(words) <= 4 and all(_WORDS.fullmatch(word.rstrip(".")) for word in words)
    return plain and _is_name(value)


def words(name: str) -> list[str]:
    """The words of a name, initials and all, without titles' dots."""
    return _WORDS.findall(name)


def in_mailbox(email: str) -> str | None:
    """The name that an address such as anna.smith77@example.com spells out, in small letters; None for info@..."""
    parts = [part for part in re.split(r"[\W\d_]+", email.partition("@")[0].lower()) if len(part) > 2]
    known = [part for part in parts if part not in COMMON and part not in _MAILBOXES]
    return (
        " ".join(known)
        if len(parts) > 1 and known and len(known) == len([p for p in parts if p not in COMMON])
        else None
    )
