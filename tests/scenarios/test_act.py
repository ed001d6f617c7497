"""What the catalogue says in `act`. Modules: `act`."""

import re

import pytest

from tests.shared.server import ROOT
from wsecho.scenarios.catalogue import SEQUENCES, WORDS
from wsecho.scenarios.language.act import Act, parse
from wsecho.scenarios.language.data import generated

# Places in the documentation that stand for more than one word.
_PLACES = {"texts": r"[^, ]+(?:, [^, ]+)*?"}


@pytest.mark.parametrize(
    ("text", "act"),
    [
        ("wait", Act()),
        ("echo", Act(echoes=True)),
        ("close", Act(closes=True)),
        ("close after the first message", Act(closes=True)),
        ("send hello", Act(("hello",))),
        ("send hello, close", Act(("hello",), closes=True)),
        ("send one, two, three", Act(("one", "two", "three"))),
        ("send closely, close", Act(("closely",), closes=True)),
        ("send 3 of size 1KiB", Act(("size:1KiB",) * 3)),
        ("send 2 of size 5, close", Act(("size:5",) * 2, closes=True)),
    ],
)
def test_acts(text: str, act: Act) -> None:
    assert parse(text) == act


@pytest.mark.parametrize("text", ["", "send", "ping", "send hello each second", "offer the subprotocol one, echo"])
def test_what_needs_a_program_of_its_own(text: str) -> None:
    assert parse(text) is None


def test_generated_messages_are_numbered() -> None:
    act = parse("send 2 of size 20")
    assert act
    assert act.payloads() == [generated(1, 20), generated(2, 20)]


def test_most_rows_can_be_performed_by_any_harness() -> None:
    rows = [row for word in WORDS for row in word.rows]
    assert sum(parse(row.act) is not None for row in rows) > 0.9 * len(rows)


def test_the_documentation_names_every_part_of_every_act() -> None:
    table = (ROOT / "docs/scenarios.md").read_text().partition("| part of `act` |")[2].partition("\n\n")[0]
    parts = re.findall(r"^\| `([^`]+)` \|", table, re.MULTILINE)
    escaped = (
        re.sub(r"\\\{(\w+)\\\}", lambda name: _PLACES.get(name[1], r"[^, ]+"), re.escape(part)) for part in parts
    )
    forms = {part: re.compile(form) for part, form in zip(parts, escaped, strict=True)}
    any_part = "|".join(form.pattern for form in forms.values())
    acts = {row.act for row in (*(row for word in WORDS for row in word.rows), *SEQUENCES)}
    assert {act for act in acts if not re.fullmatch(f"(?:{any_part})(?:, (?:{any_part}))*", act)} == set()
    assert {part for part, form in forms.items() if not any(form.search(act) for act in acts)} == set()
