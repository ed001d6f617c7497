"""Which rows of the catalogue are cases. Modules: `cases`."""

import pytest

from wsecho.conformance.cases import Case, all_cases, selected
from wsecho.scenarios.catalogue import WORDS

CASES = all_cases(encrypted=True)
ROWS = {row.number: row for word in WORDS for row in word.rows}


def ids(cases: list[Case]) -> list[str]:
    return [case.id for case in cases]


def test_the_order_is_that_of_the_numbers() -> None:
    numbers = [[int(part) for part in case.id.split(".")] for case in CASES]
    assert numbers == sorted(numbers)
    assert numbers[0] == [20, 1, 1]


def test_every_row_that_only_needs_an_echoing_client_is_a_case() -> None:
    passive = {
        number
        for number, row in ROWS.items()
        if row.judge and row.act in ("wait", "echo") and "/next" not in row.url and "times/" not in row.url
    }
    assert passive <= {*ids(CASES)}


def test_a_row_in_which_the_client_must_act_is_no_case() -> None:
    for number in ("20.7.1", "20.9.1", "31.2.1", "28.7.1", "21.5.1"):
        assert ROWS[number].judge
        assert number not in ids(CASES)


def test_messages_to_an_echo_come_from_the_server() -> None:
    found = next(case for case in CASES if case.id == "31.3.1")
    assert ROWS["31.3.1"].act == "send hello, close"
    assert found.messages == (b"hello",)


def test_rows_that_need_tls_are_cases_only_with_tls() -> None:
    without = {*ids(all_cases())}
    assert {number for number in ids(CASES) if number not in without} == {
        case.id for case in CASES if "tls" in case.row.needs
    }


def test_the_sets() -> None:
    opens, refuses = selected(CASES, "open", (), ()), selected(CASES, "handshake", (), ())
    assert all(case.row.expect["opened"] is True for case in opens)
    assert not any(case.row.expect["opened"] is True for case in refuses)
    assert len(opens) + len(refuses) == len(selected(CASES, "all", (), ()))


@pytest.mark.parametrize(
    ("name", "some"),
    [
        ("20.1.2", "20.1.2"),
        ("20.1", "20.1.3"),
        ("26", "26.1.1"),
        ("26.*", "26.1.1"),
        ("D", "23.3.1"),
        ("d", "23.3.1"),
        ("close-empty", "20.2.1"),
        ("handshake/lower-case", "23.3.1"),
        ("handshake", "23.3.1"),
        ("Frames that are wrong", "26.1.1"),
    ],
)
def test_cases_by_name(name: str, some: str) -> None:
    only = ids(selected(CASES, "open", [name], ()))
    assert some in only
    rest = ids(selected(CASES, "open", (), [name]))
    assert sorted([*only, *rest]) == sorted(ids(selected(CASES, "open", (), ())))
    assert some not in rest


def test_a_number_is_not_the_beginning_of_a_longer_one() -> None:
    assert ids(selected(CASES, "all", ["26.1"], ())) == ["26.1.1"]


def test_a_name_of_nothing_is_an_error() -> None:
    with pytest.raises(ValueError, match=r"'20\.9999' names no case"):
        selected(CASES, "open", ["20.9999"], ())
