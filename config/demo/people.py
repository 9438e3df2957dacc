"""Who takes part in a conversation of the demo shop: invented people with numbers and addresses that reach nobody."""

from __future__ import annotations

from random import Random
from typing import Any

_POOLS = {"city": "cities", "street": "streets", "size": "sizes", "shoe": "shoes"}


def typing_style(channel: str, rng: Random) -> str:
    """How this customer types; the words in it name functions of `noise`."""
    styles = {"plain": 40, "typos": 24, "lower": 16, "sms": 6, "lower typos": 8, "shout": 2}
    if channel == "whatsapp":
        styles |= {"sms": 40, "plain": 10}
    return rng.choices(list(styles), list(styles.values()))[0]


def facts(pools: dict[str, Any], agent: str, rng: Random) -> dict[str, str]:
    """The value of every `{slot}` in one conversation."""
    name, surname = rng.choice(pools["names"]), rng.choice(pools["surnames"])
    number = f"{100000 + rng.randrange(9000)}"
    day = rng.randrange(5)
    return {
        "name": name,
        "surname": surname,
        "email": f"{name.lower()}.{surname.lower()}{rng.choice(['', '77', '.uk'])}@{rng.choice(pools['domains'])}",
        "phone": _phone(rng),
        "order": f"FW-{number}",
        "order_plain": number,
        "order_lower": f"fw{number}",
        "amount": f"£{rng.randrange(12, 280)}.{rng.choice(['00', '50', '95', '99'])}",
        "weekday": pools["weekdays"][day],
        "weekday2": pools["weekdays"][(day + 2) % 5],
        "agent": agent.capitalize(),
        **{one: rng.choice(pools[many]) for one, many in _POOLS.items()},
        "product": rng.choice(pools["products" if rng.random() < 0.4 else "things"]),
    }


def _phone(rng: Random) -> str:
    """Ranges that Ofcom keeps for drama: nobody can be called by mistake."""
    last = f"{rng.randrange(1000):03d}"
    return rng.choice([f"07700 900{last}", f"+44 7700 900{last}", f"0113 496 0{last}", f"020 7946 0{last}"])
