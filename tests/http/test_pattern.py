"""Expressions that are compiled at their first use."""

import re

import pytest

from wsecho.http import pattern as module
from wsecho.http.pattern import pattern


def test_it_matches_as_if_it_were_compiled() -> None:
    found = pattern(r"(\w+)-x", re.ASCII | re.IGNORECASE)
    match = found.fullmatch("ab-X")
    assert match
    assert match[1] == "ab"
    assert found.fullmatch("é-x") is None
    assert pattern(rb"b+").findall(b"abbab") == [b"bb", b"b"]
    assert found.sub("", "ab-x, c-x") == ", "


def test_only_a_use_compiles_it_and_only_the_first_one(monkeypatch: pytest.MonkeyPatch) -> None:
    compiled: list[str] = []

    def compile_and_note(text: str, flags: int) -> re.Pattern[str]:
        compiled.append(text)
        return re.compile(text, flags)

    monkeypatch.setattr(module, "re", type("re", (), {"compile": staticmethod(compile_and_note)}))
    found = pattern("a+")
    assert compiled == []
    assert found.match("a")
    assert found.match("b") is None
    assert compiled == ["a+"]
