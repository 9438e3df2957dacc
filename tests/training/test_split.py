from __future__ import annotations

from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from bot.transcript import Transcript, Turn
from training.split import LARGE, by_time, rounds

TURNS = (Turn("customer", "do you rent tents"), Turn("agent", "yes"))
TAUGHT = (Turn("customer", "do you rent tents"), Turn("bot", "passing you on"), Turn("agent", "yes, by the day"))


def one(number: int, *, at: str | None = "", turns: tuple[Turn, ...] = TURNS) -> Transcript:
    started = f"2026-01-{number + 1:02d}T10:00:00Z" if at == "" else at
    return Transcript(f"t{number}", started_at=started, turns=turns)


def ids(transcripts: tuple[Transcript, ...]) -> list[str]:
    return [t.id for t in transcripts]


def test_the_latest_conversations_judge_whatever_order_they_come_in() -> None:
    split = by_time([one(n) for n in (7, 2, 9, 4, 0, 1, 3, 5, 8, 6)], test_share=0.2)
    assert ids(split.test) == ["t8", "t9"]
    assert ids(split.train) == [f"t{n}" for n in range(8)]


def test_conversations_without_a_date_keep_their_order_and_train_first() -> None:
    split = by_time([one(5, at=None), one(1), one(3, at=None), one(0)], test_share=0.25)
    assert ids(split.train) == ["t5", "t3", "t0"]
    assert ids(split.test) == ["t1"]


def test_what_people_taught_always_trains() -> None:
    split = by_time([*(one(n) for n in range(9)), one(9, turns=TAUGHT)], test_share=0.3)
    assert "t9" in ids(split.train)
    assert ids(split.test) == ["t6", "t7", "t8"]


def test_a_share_of_nothing_leaves_nothing_to_judge_by() -> None:
    split = by_time([one(n) for n in range(5)], test_share=0)
    assert (len(split.train), len(split.test)) == (5, 0)


@given(st.lists(st.tuples(st.integers(0, 27), st.booleans(), st.booleans()), max_size=40), st.floats(0, 0.49))
def test_every_conversation_is_on_one_side_and_no_plain_one_trains_after_a_test_one(rows, share) -> None:
    made = [
        Transcript(f"i{n}", started_at=f"2026-01-{day + 1:02d}" if dated else None, turns=TAUGHT if taught else TURNS)
        for n, (day, dated, taught) in enumerate(rows)
    ]
    split = by_time(made, test_share=share)
    assert sorted(ids(split.train) + ids(split.test)) == sorted(t.id for t in made)
    plain = [t.started_at or "" for t in split.train if t.turns == TURNS]
    assert all(t.turns == TURNS for t in split.test)
    assert not plain or not split.test or max(plain) <= min(t.started_at or "" for t in split.test)


@settings(deadline=None)
@given(st.integers(0, 3 * LARGE), st.sampled_from([0.0, 0.7]))
def test_each_round_judges_rows_right_after_those_it_trained_on(count: int, since: float) -> None:
    cuts = rounds(count, since=since)
    assert all(0 < train < end <= count for train, end in cuts)
    assert all(a[1] == b[0] for a, b in pairwise(cuts))
    assert all(train >= round(since * count) for train, _ in cuts)
    assert count < 10 or cuts[-1][1] == count
