"""The demo shop's own system: products, customers, orders and returns in one SQLite file.

`Shop.open()` creates and fills it at the first call. Dates are counted back from that day, so that there always are
orders that may be returned and others that may not.
"""

from __future__ import annotations

import os
import re
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from random import Random

RETURN_DAYS = 60
_NUMBER = re.compile(r"(?<![A-Za-z0-9])(?:FW)?[\s_-]*(\d{6})(?!\d)", re.IGNORECASE)

_SCHEMA = """
CREATE TABLE IF NOT EXISTS products (sku TEXT PRIMARY KEY, name TEXT NOT NULL, price_pence INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS customers (id INTEGER PRIMARY KEY, name TEXT NOT NULL, email TEXT NOT NULL UNIQUE);
CREATE TABLE IF NOT EXISTS orders (
    number TEXT PRIMARY KEY, customer INTEGER NOT NULL REFERENCES customers, sku TEXT NOT NULL REFERENCES products,
    status TEXT NOT NULL CHECK (status IN ('received', 'packing', 'dispatched', 'delivered', 'cancelled')),
    ordered_on TEXT NOT NULL, due_on TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS returns (
    code TEXT PRIMARY KEY, number TEXT NOT NULL UNIQUE REFERENCES orders, reason TEXT NOT NULL, condition TEXT NOT NULL,
    started_on TEXT NOT NULL);
"""

PRODUCTS = {
    "RID-01": ("Ridgeline jacket", 18900), "BOR-01": ("Borrowdale boots", 15900), "TAR-02": ("Tarn tent", 24900),
    "EMB-02": ("Ember 2 stove", 5900), "FEL-45": ("Fell 45 backpack", 12900), "LOF-01": ("Loft down jacket", 17900),
    "GIL-01": ("Gill trail shoes", 9900), "BEA-01": ("Beacon head torch", 3900), "HEA-01": ("Hearth bag", 13900),
}  # fmt: skip

# Number, status, days since the order: one of each case, for docs, tests and the first try in the widget.
EXAMPLES = (
    ("FW-104233", "dispatched", 2),
    ("FW-104234", "delivered", 9),
    ("FW-104235", "delivered", 90),
    ("FW-104236", "delivered", 20),
    ("FW-104237", "packing", 0),
    ("FW-104238", "cancelled", 5),
)
RETURNED = "FW-104236"


@dataclass(frozen=True)
class Order:
    """`due_on` is the day of delivery, expected or real; `returned` the code of its return, if there is one."""

    number: str
    product: str
    status: str
    due_on: date
    returned: str | None

    def refusal(self, today: date) -> str | None:
        """Why this order cannot be returned, as one word, or None."""
        if self.returned:
            return "returned"
        if self.status != "delivered":
            return self.status
        return "late" if today > self.due_on + timedelta(days=RETURN_DAYS) else None


def order_number(text: str) -> str | None:
    """`FW-104233` from however somebody writes it, None when there is no such number or more than one in the text."""
    found = {f"FW-{digits}" for digits in _NUMBER.findall(text)}
    return found.pop() if len(found) == 1 else None


class Shop:
    def __init__(self, path: Path) -> None:
        self.path = path

    @classmethod
    def open(cls) -> Shop:
        """The shop of `DESKHAND_SHOP_DB`, by default `shop.sqlite` in the data directory."""
        data = Path(os.environ.get("DESKHAND_DATA_DIR", "data"))
        shop = cls(Path(os.environ.get("DESKHAND_SHOP_DB", data / "shop.sqlite")))
        shop.create()
        return shop

    def create(self) -> None:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with self._transaction() as db:
            for statement in _SCHEMA.split(";"):
                db.execute(statement)
            if not db.execute("SELECT 1 FROM orders LIMIT 1").fetchone():
                _seed(db, date.today())

    def order(self, number: str) -> Order | None:
        with self._transaction() as db:
            return _order(db, number)

    def start_return(self, number: str, reason: str, condition: str) -> str:
        """The code of the new return. Raises ValueError with the refusal's word; two callers never both succeed."""
        with self._transaction() as db:
            order = _order(db, number)
            refusal = order.refusal(date.today()) if order else "unknown"
            if refusal:
                raise ValueError(refusal)
            code = f"RT-{number.removeprefix('FW-')}"
            row = (code, number, reason, condition, date.today().isoformat())
            db.execute("INSERT INTO returns VALUES (?, ?, ?, ?, ?)", row)
            return code

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        db = sqlite3.connect(self.path, timeout=5, isolation_level=None)
        try:
            db.execute("BEGIN IMMEDIATE")
            yield db
            db.execute("COMMIT")
        except BaseException:
            if db.in_transaction:
                db.execute("ROLLBACK")
            raise
        finally:
            db.close()


def _order(db: sqlite3.Connection, number: str) -> Order | None:
    row = db.execute(
        "SELECT o.number, p.name, o.status, o.due_on, r.code FROM orders o JOIN products p USING (sku)"
        " LEFT JOIN returns r USING (number) WHERE o.number = ?",
        (number,),
    ).fetchone()
    return Order(row[0], row[1], row[2], date.fromisoformat(row[3]), row[4]) if row else None


def _seed(db: sqlite3.Connection, today: date) -> None:
    rng = Random(7)
    db.executemany("INSERT INTO products VALUES (?, ?, ?)", [(sku, *rest) for sku, rest in PRODUCTS.items()])
    people = [(n, f"Customer {n}", f"customer{n}@example.com") for n in range(1, 41)]
    db.executemany("INSERT INTO customers VALUES (?, ?, ?)", people)
    taken = {number for number, _, _ in EXAMPLES}
    numbers = [n for n in (f"FW-{k}" for k in rng.sample(range(100000, 109000), 240)) if n not in taken]
    orders = [*EXAMPLES, *((number, *_history(rng)) for number in numbers)]
    for number, status, days in orders:
        due = _working_day(today - timedelta(days=days - 3), -1 if status == "delivered" else 1)
        row = (number, rng.randrange(1, 41), rng.choice(list(PRODUCTS)), status, today - timedelta(days=days), due)
        db.execute("INSERT INTO orders VALUES (?, ?, ?, ?, ?, ?)", (*row[:4], row[4].isoformat(), row[5].isoformat()))
    db.execute(
        "INSERT INTO returns VALUES (?, ?, 'too_small', 'unused', ?)",
        (f"RT-{RETURNED.removeprefix('FW-')}", RETURNED, (today - timedelta(days=4)).isoformat()),
    )


def _working_day(when: date, step: int) -> date:
    while when.weekday() >= 5:
        when += timedelta(days=step)
    return when


def _history(rng: Random) -> tuple[str, int]:
    status = rng.choices(["received", "packing", "dispatched", "delivered", "cancelled"], [1, 1, 3, 10, 1])[0]
    return status, {"received": 0, "packing": 0, "dispatched": 2}.get(status, rng.randrange(4, 120))
