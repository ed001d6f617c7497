"""One option: how it is written, what it accepts, what it means; and how one is declared in the table of `config`."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from wsecho.options.values import SIZE_UNITS, parse_size, parse_switch, parse_time


class OptionError(ValueError):
    """What an option names cannot be used. The message is a line for the user that names the option."""


def option(
    default: str,
    parse: Callable[[str], Any],
    metavar: str,
    meaning: str,
    *,
    aliases: tuple[str, ...] = (),
    at_least: float = 0,
    at_most: float = 1 << 40,
    or_zero: bool = False,
) -> Any:
    """Describe an option. Its value is between `at_least` and `at_most` or, if zero stands for something else, zero."""
    row = {"default": default, "parse": parse, "metavar": metavar, "meaning": meaning, "aliases": aliases}
    value = parse(default) if default else None
    row |= {"at_least": at_least, "at_most": at_most, "or_zero": or_zero, "repeats": False}
    return field(default=value, metadata=row)


def list_option(default: str, parse: Callable[[str], Any], metavar: str, meaning: str) -> Any:
    """Describe an option that takes several values: its flag several times, or separated by commas."""

    def parse_all(text: str) -> tuple[Any, ...]:
        items = [item.strip() for item in text.split(",") if item.strip()]
        if not items:
            raise ValueError("it is empty")
        return tuple(parse(item) for item in items)

    row = {"default": default, "parse": parse_all, "metavar": f"{metavar}...", "meaning": meaning, "aliases": ()}
    value = parse_all(default) if default else ()
    return field(default=value, metadata=row | {"at_least": 0, "at_most": 0, "or_zero": False, "repeats": True})


@dataclass(frozen=True, slots=True)
class Option:
    """One option: how it is written, what it accepts, and what it means."""

    name: str
    default: str
    metavar: str
    meaning: str
    aliases: tuple[str, ...]
    at_least: float
    at_most: float
    or_zero: bool
    parse: Callable[[str], Any]
    repeats: bool

    @property
    def flag(self) -> str:
        """The option on the command line."""
        return "--" + self.name.replace("_", "-")

    @property
    def is_switch(self) -> bool:
        """Whether the flag alone says it all. The environment variable takes on or off."""
        return self.parse is parse_switch

    @property
    def environment(self) -> tuple[str, ...]:
        """The environment variables it is read from; the first that is set counts."""
        return (f"WSECHO_{self.name.upper()}", *self.aliases)

    def value(self, text: str) -> Any:
        """Return what `text` stands for. Raises ValueError with a line that says what was expected."""
        value = self.parse(text)
        if isinstance(value, int | float) and value < self.at_least and not (self.or_zero and value == 0):
            zero = ", or 0" if self.or_zero else ""
            raise ValueError(f"{text!r} is too small: at least {self._written(self.at_least)} is needed{zero}")
        if isinstance(value, int | float) and value > self.at_most:
            raise ValueError(f"{text!r} is too large: at most {self._written(self.at_most)} is allowed")
        return value

    def _written(self, limit: float) -> str:
        """Return a limit as it could be given."""
        if self.parse is parse_time:
            return f"{limit:.15g}s"
        units = SIZE_UNITS if self.parse is parse_size else {"": 1}
        unit, size = next(item for item in reversed(units.items()) if limit >= item[1] and limit % item[1] == 0)
        return f"{limit / size:.0f}{unit}"
