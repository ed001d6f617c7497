"""One option of the server: its names, accepted values and meaning, and what declares the options in `config`."""

from collections.abc import Callable
from typing import Any, ClassVar, NamedTuple, dataclass_transform

from wsecho.options.values import SIZE_UNITS, parse_size, parse_switch, parse_time


class OptionError(ValueError):
    """The value of an option cannot be used. The text is one line for the user and names the option."""


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
    """Declare an option with one value. Numbers must be from `at_least` to `at_most`; `or_zero` allows 0 as well.

    `parse` turns the text of the option into its value, and raises ValueError. An empty `default` means None.
    """
    return Option("", default, metavar, meaning, aliases, at_least, at_most, or_zero, parse, repeats=False)


def list_option(default: str, parse: Callable[[str], Any], metavar: str, meaning: str) -> Any:
    """Declare an option with several values: the flag is given several times, or the values are separated by commas."""

    def parse_all(text: str) -> tuple[Any, ...]:
        items = [item.strip() for item in text.split(",") if item.strip()]
        if not items:
            raise ValueError("it is empty")
        return tuple(parse(item) for item in items)

    return Option("", default, f"{metavar}...", meaning, (), 0, 0, False, parse_all, repeats=True)


class Option(NamedTuple):
    """One option: its names, the values that it accepts, and its meaning."""

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
    def default_value(self) -> Any:
        """The value if the option is not set."""
        if self.default:
            return self.parse(self.default)
        return () if self.repeats else None

    @property
    def flag(self) -> str:
        """The name of the option on the command line."""
        return "--" + self.name.replace("_", "-")

    @property
    def is_switch(self) -> bool:
        """Whether the flag has no value on the command line. The environment variable is set to on or off."""
        return self.parse is parse_switch

    @property
    def environment(self) -> tuple[str, ...]:
        """The environment variables of the option. The first one that is set is used."""
        return (f"WSECHO_{self.name.upper()}", *self.aliases)

    def value(self, text: str) -> Any:
        """Return the value that `text` stands for. Raises ValueError; its text says what was expected."""
        value = self.parse(text)
        if isinstance(value, int | float) and value < self.at_least and not (self.or_zero and value == 0):
            zero = ", or 0" if self.or_zero else ""
            raise ValueError(f"{text!r} is too small: at least {self._format_limit(self.at_least)} is needed{zero}")
        if isinstance(value, int | float) and value > self.at_most:
            raise ValueError(f"{text!r} is too large: at most {self._format_limit(self.at_most)} is allowed")
        return value

    def _format_limit(self, limit: float) -> str:
        """Return a limit as a user would write it."""
        if self.parse is parse_time:
            return f"{limit:.15g}s"
        units = SIZE_UNITS if self.parse is parse_size else {"": 1}
        unit, size = next(item for item in reversed(units.items()) if limit >= item[1] and limit % item[1] == 0)
        return f"{limit / size:.0f}{unit}"


@dataclass_transform(kw_only_default=True, frozen_default=True, field_specifiers=(option, list_option))
class Table:
    """Base class of a class whose attributes are declared by `option` and `list_option`.

    An object has the values that it is made with; all other options have their defaults. A dataclass would do the same,
    but its definition with so many fields would take a fiftieth of the server's start.
    """

    options: ClassVar[tuple[Option, ...]]

    def __init_subclass__(cls) -> None:
        declared = {name: row for name, row in vars(cls).items() if isinstance(row, Option)}
        cls.options = tuple(row._replace(name=name) for name, row in declared.items())
        for row in cls.options:
            setattr(cls, row.name, row.default_value)

    def __init__(self, **values: Any) -> None:
        for name in values:
            if not hasattr(type(self), name):
                raise TypeError(f"there is no option {name!r}")
        vars(self).update(values)

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(f"{name!r} cannot be changed")
