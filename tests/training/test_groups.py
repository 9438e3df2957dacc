from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from training.groups import Decision, Group, decided, settle, typical
from training.intents import NOISE
from training.suggestions import suggested

KINDS = ("return", "ship", "password")


@pytest.fixture
def log(pair):
    """(pairs, labels, requests) of three kinds with so many rows each."""

    def make(sizes: tuple[int, ...] = (10, 10, 10), *, start: int = 0):
        labels = np.repeat(np.arange(len(sizes)), sizes)
        numbers = [start + n for size in sizes for n in range(size)]
        found = [
            pair(f"{KINDS[label]} question {number}", "yes", conversation=f"{KINDS[label]}-{number}")
            for label, number in zip(labels.tolist(), numbers, strict=True)
        ]
        noise = 0.1 * np.random.default_rng(start).normal(size=(len(labels), 8))
        rows = np.eye(8)[labels] + noise
        return found, labels, (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)

    return make


def by_name(groups) -> dict[str, Group]:
    return {group.name: group for group in groups}


def test_groups_keep_their_ids_and_names_when_the_log_grows(log) -> None:
    first = settle(log()[1], KINDS, *take(log()), ())
    more = join(log(), log((2, 3, 1), start=50))
    order = np.array([2, 0, 1])  # the next grouping numbers and names them otherwise
    second = settle(order[more[1]], ("a", "b", "c"), *take(more), first.groups)
    assert {g.id: g.name for g in second.groups} == {g.id: g.name for g in first.groups}
    assert [len(by_name(second.groups)[kind].requests) for kind in KINDS] == [12, 13, 11]
    for pair, number in zip(more[0], second.group_of.tolist(), strict=True):
        assert second.groups[number].name in pair.text


def take(log):
    pairs, _, requests = log
    return pairs, requests


def join(one, other):
    return [*one[0], *other[0]], np.concatenate([one[1], other[1]]), np.vstack([one[2], other[2]])


def test_a_new_kind_gets_an_id_and_a_name_of_its_own(log) -> None:
    pairs, labels, requests = log()
    first = settle(labels[:20], ("return", "ship"), pairs[:20], requests[:20], ())
    second = settle(labels, ("x", "y", "ship"), pairs, requests, first.groups)
    assert set(by_name(second.groups)) == {"return", "ship", "ship_2"}
    assert len({group.id for group in second.groups}) == 3


def test_noise_is_in_no_group(log) -> None:
    pairs, labels, requests = log()
    labels[3] = NOISE
    settled = settle(labels, KINDS, pairs, requests, ())
    assert settled.group_of[3] == NOISE
    assert not any((pairs[3].conversation, 0) in group.requests for group in settled.groups)


def test_a_merge_survives_later_trainings_and_new_requests_follow(log) -> None:
    first = settle(log()[1], KINDS, *take(log()), ())
    names = by_name(first.groups)
    ship, back = names["ship"], names["return"]
    merge = Decision("merge", ship.id, into=back.id, requests=ship.requests)
    more = join(log(), log((2, 3, 1), start=50))
    groups = first.groups
    for _ in range(2):
        settled = settle(more[1], KINDS, *take(more), decided(groups, [merge]))
        groups = settled.groups
        assert set(by_name(groups)) == {"return", "password"}
        assert len(by_name(groups)["return"].requests) == 25
        assert by_name(groups)["return"].id == back.id


def test_a_split_survives_and_new_requests_go_to_the_nearer_part(log) -> None:
    pairs, labels, requests = log()
    coarse = np.where(labels == 1, 0, labels) // 2  # return and ship are one group
    first = settle(coarse, ("post", "password"), pairs, requests, ())
    post = by_name(first.groups)["post"]
    part = tuple(key for key in post.requests if key[0].startswith("ship"))
    split = Decision("split", post.id, into="g-new", name="shipping", requests=part)
    more = join(log(), log((4, 4, 4), start=50))
    settled = settle(np.where(more[1] == 1, 0, more[1]) // 2, ("a", "b"), *take(more), decided(first.groups, [split]))
    found = by_name(settled.groups)
    assert {key[0].split("-")[0] for key in found["shipping"].requests} == {"ship"}
    assert len(found["shipping"].requests) == len(found["post"].requests) == 14


def test_a_rename_stays_and_an_ignored_group_stays_ignored(log) -> None:
    first = settle(log()[1], KINDS, *take(log()), ())
    names = by_name(first.groups)
    decisions = [
        Decision("rename", names["ship"].id, name="delivery_abroad"),
        Decision("ignore", names["password"].id, requests=names["password"].requests),
    ]
    settled = settle(log()[1], KINDS, *take(log()), decided(first.groups, decisions))
    again = settle(log()[1], KINDS, *take(log()), settled.groups)
    for groups in (settled.groups, again.groups):
        assert by_name(groups)["delivery_abroad"].id == names["ship"].id
        assert [group.name for group in groups if group.ignored] == ["password"]


def test_decisions_are_carried_out_though_the_bundle_that_they_were_made_on_is_gone(log) -> None:
    first = settle(log()[1], KINDS, *take(log()), ())
    names = by_name(first.groups)
    merge = Decision("merge", names["ship"].id, into=names["return"].id, requests=names["ship"].requests)
    keep = Decision("merge", names["return"].id, into=names["return"].id, requests=names["return"].requests)
    settled = settle(log()[1], KINDS, *take(log()), decided([], [keep, merge]))
    assert sorted(len(group.requests) for group in settled.groups) == [10, 20]


def test_a_name_that_the_dialogue_has_is_not_given_again(log) -> None:
    settled = settle(log()[1], KINDS, *take(log()), (), taken=["ship"])
    assert set(by_name(settled.groups)) == {"return", "ship_2", "password"}


def test_groups_and_decisions_survive_the_disk(log) -> None:
    settled = settle(log()[1], KINDS, *take(log()), ())
    halves = ((("a", 1),), (("b", 2),))
    one = replace(settled.groups[0], alike=(("g-1", "why"),), parts=halves, parts_typical=(("x",), ("y",)))
    assert Group.of(json.loads(json.dumps(one.row()))) == one


def test_typical_requests_are_different_and_short_where_they_can_be() -> None:
    texts = ["where is it", "Where is it", "track my parcel", "word " * 50, "when does it come"]
    vectors = np.eye(5, dtype=np.float32) + 1
    found = typical(texts, vectors, np.arange(5))
    assert len(found) == 3
    assert len({text.casefold() for text in found}) == 3
    assert texts[3] not in found
    assert typical(texts, vectors, np.array([3])) == (texts[3],)


def test_groups_that_agents_answer_alike_are_suggested_for_a_merge(log) -> None:
    pairs, labels, requests = log()
    requests[10:20] = requests[:10] * 0.7 + requests[10:20] * 0.7
    answers = np.where(labels == 1, 0, labels)
    settled = settle(labels, KINDS, pairs, requests, ())
    found = by_name(suggested(settled, [p.text for p in pairs], requests, requests, answers))
    pairs_found = {frozenset((group.id, id)) for group in found.values() for id, _ in group.alike}
    assert pairs_found == {frozenset((found["return"].id, found["ship"].id))}


def test_a_group_of_two_kinds_that_are_answered_differently_is_suggested_for_a_split(log) -> None:
    pairs, labels, requests = log()
    coarse = np.where(labels == 1, 0, labels) // 2
    settled = settle(coarse, ("post", "password"), pairs, requests, ())
    found = by_name(suggested(settled, [p.text for p in pairs], requests, requests, labels))
    assert {frozenset(key[0].split("-")[0] for key in part) for part in found["post"].parts} == {
        frozenset({"ship"}), frozenset({"return"}),
    }  # fmt: skip
    assert found["password"].parts == ()


def test_a_group_of_equal_requests_is_in_one_part(log) -> None:
    pairs, labels, _ = log((12,))
    same = np.tile(np.eye(8, dtype=np.float32)[0], (12, 1))
    settled = settle(labels, KINDS[:1], pairs, same, ())
    (found,) = suggested(settled, [p.text for p in pairs], same, same, np.arange(12) % 2)
    assert found.parts == ()
