"""What the tests of the options share."""

from collections.abc import Callable

import pytest

from wsecho.cli import main


@pytest.fixture
def complaint(capsys: pytest.CaptureFixture[str]) -> Callable[..., str]:
    """Return a function that starts wsecho, requires exit code 2, and returns the one line that it prints."""

    def complain(*arguments: str) -> str:
        assert main(arguments) == 2
        printed = capsys.readouterr()
        assert printed.out == ""
        assert printed.err.startswith("wsecho: ")
        assert printed.err.count("\n") == 1
        return printed.err.removeprefix("wsecho: ").rstrip("\n")

    return complain
