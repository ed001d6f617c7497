"""Which codec `--codec` chooses."""

import sys

import pytest

from wsecho.codec import selection


def test_each_codec_can_be_chosen_and_the_compiled_codec_is_preferred() -> None:
    assert [selection.load(choice).name for choice in ("python", "compiled", "auto")] == ["python", *["compiled"] * 2]


def test_without_the_compiled_codec_auto_is_the_python_codec(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "wsecho.codec.native.echo", None)
    assert selection.load("auto").name == "python"
    with pytest.raises(RuntimeError, match=r"^--codec compiled: it cannot be loaded: .*'make build' compiles it$"):
        selection.load("compiled")
