from __future__ import annotations

import re

import numpy as np

from training.intents import NOISE, grouped, name_groups

KINDS = {
    "return": ["how do I return a jacket", "return this jacket please", "I want to return my jacket"],
    "password": ["I forgot my password", "reset the password", "my password does not work"],
    "delivery": ["when is the delivery", "delivery is late", "track my delivery please"],
}
TEXTS = [text for texts in KINDS.values() for text in texts]
LABELS = np.repeat(np.arange(3), 3)


def test_a_group_is_named_by_what_its_requests_share_and_others_lack() -> None:
    for name, kind in zip(name_groups(TEXTS, LABELS), KINDS, strict=True):
        assert kind in name.split("_")


def test_names_are_plain_words_and_all_different() -> None:
    names = name_groups([*TEXTS, *TEXTS], np.concatenate([LABELS, LABELS + 3]))
    assert len(set(names)) == 6
    assert all(re.fullmatch(r"[a-z0-9'’-]+(_[a-z0-9'’-]+)*", name) for name in names)


def test_requests_without_a_word_of_their_own_are_other() -> None:
    assert name_groups(["what is it", "and then?", "<ORDER>"], np.array([0, 0, 1])) == ["other", "other_2"]
    assert name_groups([], np.array([], np.int64)) == []


def test_placeholders_do_not_name_a_group() -> None:
    (name,) = name_groups(["where is order <ORDER>", "<NAME> asks for order <ORDER_2>"], np.array([0, 0]))
    assert "order" in name
    assert "name" not in name


def test_what_is_like_no_other_request_is_noise_and_gives_no_name() -> None:
    rng = np.random.default_rng(2)
    rows = np.repeat(np.eye(16)[:3], 40, axis=0) + 0.05 * rng.normal(size=(120, 16))
    labels = grouped(np.vstack([rows, np.eye(16)[9:10]]).astype(np.float32), least=2, most=12, seed=1)
    assert labels[-1] == NOISE
    kinds = [set(labels[start : start + 40].tolist()) for start in (0, 40, 80)]
    assert sum(map(len, kinds)) == len(set.union(*kinds)) == len(name_groups(["a lamp"] * 121, labels))
    assert NOISE not in set.union(*kinds)
