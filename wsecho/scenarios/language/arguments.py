"""The types of arguments: how each is written in a URL, which values it accepts, and its canonical form."""

import math
import re
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from wsecho.scenarios.language.data import Data, from_base64, from_hex, to_base64
from wsecho.scenarios.language.limits import Limits

_QUANTITY = re.compile(r"(\d{1,15})(?:\.(\d{1,9}))?([A-Za-z]*)", re.ASCII)
_COUNT = re.compile(r"\d{1,15}", re.ASCII)
_TIME_UNITS = {"m": 60_000, "s": 1000, "ms": 1, "": 1000}
_SIZE_UNITS = {"GiB": 1 << 30, "MiB": 1 << 20, "KiB": 1 << 10, "B": 1}
FOREVER = math.inf


class Kind(ABC):
    """A type of arguments."""

    @property
    @abstractmethod
    def expected(self) -> str:
        """What is accepted, in words."""

    @property
    def name(self) -> str:
        """The name of the type in `/scenarios.json`."""
        return type(self).__name__.lower()

    @property
    def choices(self) -> tuple[str, ...]:
        """The words that are accepted, beside other values if there are `bounds`."""
        return ()

    def bounds(self, limits: Limits) -> tuple[float | None, float | None]:
        """Return the least and the greatest value, in seconds or bytes if it has a unit; None where it is no number."""
        return None, None

    @abstractmethod
    def parse(self, text: str, limits: Limits) -> Any:
        """Return the value of `text`, which is percent-decoded. Raises ValueError; its text says what was wrong."""

    @abstractmethod
    def write(self, value: Any) -> str:
        """Return the canonical text of a value, before it is percent-encoded."""


def _milliseconds(text: str) -> int | None:
    match = _QUANTITY.fullmatch(text)
    if not match or match[3] not in _TIME_UNITS:
        return None
    fraction = (match[2] or "").rstrip("0")
    scaled = int(match[1] + fraction) * _TIME_UNITS[match[3]]
    return None if scaled % 10 ** len(fraction) else scaled // 10 ** len(fraction)


def written_duration(seconds: float) -> str:
    """Return a duration as it is written in a URL."""
    if seconds == FOREVER:
        return "forever"
    amount = round(seconds * 1000)
    unit = next((unit for unit, size in _TIME_UNITS.items() if unit and amount % size == 0), "ms")
    return f"{amount // _TIME_UNITS[unit]}{unit}" if amount else "0s"


def written_size(size: int) -> str:
    """Return a size as it is written in a URL."""
    unit, factor = next((item for item in _SIZE_UNITS.items() if size and size % item[1] == 0), ("B", 1))
    return f"{size // factor}{unit}"


@dataclass(frozen=True, slots=True)
class Duration(Kind):
    """Seconds, as a float. A bare number is seconds. With `or_forever`, the word `forever` is accepted too; with
    `is_whole`, only whole seconds are.
    """

    or_forever: bool = False
    is_whole: bool = False

    @property
    def expected(self) -> str:
        """What is accepted, in words."""
        if self.is_whole:
            return "a duration in whole seconds such as 2s or 5m"
        return "a duration such as 500ms, 2s or 5m" + (", or forever" if self.or_forever else "")

    @property
    def choices(self) -> tuple[str, ...]:
        """The word for no end, where it is accepted."""
        return ("forever",) if self.or_forever else ()

    def bounds(self, limits: Limits) -> tuple[float | None, float | None]:
        """Return none and the longest duration."""
        return 0, limits.duration

    def parse(self, text: str, limits: Limits) -> float:
        """Return the seconds."""
        if text == "forever" and self.or_forever:
            return FOREVER
        milliseconds = _milliseconds(text)
        if milliseconds is None or (self.is_whole and milliseconds % 1000):
            raise ValueError(f"is not {self.expected}")
        if milliseconds > limits.duration * 1000:
            raise ValueError(f"is too long: at most {written_duration(limits.duration)} is allowed here")
        return milliseconds / 1000

    def write(self, value: float) -> str:
        """Return the duration in its largest whole unit."""
        return written_duration(value)


@dataclass(frozen=True, slots=True)
class Count(Kind):
    """A whole number from `least` to `most`."""

    least: int = 1
    most: int = 1_000_000

    @property
    def expected(self) -> str:
        """What is accepted, in words."""
        return f"a whole number from {self.least} to {self.most}"

    def bounds(self, limits: Limits) -> tuple[float | None, float | None]:
        """Return the least and the greatest number."""
        return self.least, self.most

    def parse(self, text: str, limits: Limits) -> int:
        """Return the number."""
        if not _COUNT.fullmatch(text) or not self.least <= int(text) <= self.most:
            raise ValueError(f"is not {self.expected}")
        return int(text)

    def write(self, value: int) -> str:
        """Return the digits."""
        return str(value)


@dataclass(frozen=True, slots=True)
class Size(Kind):
    """A number of bytes. A bare number is bytes, unless `needs_unit`."""

    least: int = 0
    needs_unit: bool = False

    expected = "a size such as 100, 64KiB or 1MiB"

    def bounds(self, limits: Limits) -> tuple[float | None, float | None]:
        """Return the smallest and the largest size."""
        return self.least, limits.bytes_out

    def parse(self, text: str, limits: Limits) -> int:
        """Return the number of bytes."""
        match = _QUANTITY.fullmatch(text)
        if not match or match[2] or (match[3] not in _SIZE_UNITS and (match[3] or self.needs_unit)):
            raise ValueError(f"is not {self.expected}")
        size = int(match[1]) * _SIZE_UNITS[match[3] or "B"]
        if size < self.least or size > limits.bytes_out:
            most = written_size(limits.bytes_out)
            raise ValueError(f"is out of bounds: {written_size(self.least)} to {most} are allowed here")
        return size

    def write(self, value: int) -> str:
        """Return the size in its largest whole unit."""
        return written_size(value)


@dataclass(frozen=True, slots=True)
class CloseCode(Kind):
    """A close code that may be in a Close frame (RFC 6455 section 7.4)."""

    expected = "a close code that may be sent: 1000 to 1003, 1007 to 1014 or 3000 to 4999"

    def parse(self, text: str, limits: Limits) -> int:
        """Return the code."""
        code = int(text) if re.fullmatch(r"\d{4}", text, re.ASCII) else 0
        if not (1000 <= code <= 1003 or 1007 <= code <= 1014 or 3000 <= code <= 4999):
            raise ValueError(f"is not {self.expected}")
        return code

    def write(self, value: int) -> str:
        """Return the digits."""
        return str(value)


@dataclass(frozen=True, slots=True)
class Text(Kind):
    """Text in UTF-8, of at most `most` bytes; 0: only the limit of all arguments holds."""

    most: int = 0
    pattern: str = ""
    described: str = "text"

    @property
    def expected(self) -> str:
        """What is accepted, in words."""
        return self.described + (f" of at most {self.most} bytes" if self.most else "")

    def parse(self, text: str, limits: Limits) -> str:
        """Return the text."""
        if (self.most and len(text.encode()) > self.most) or (
            self.pattern and not re.fullmatch(self.pattern, text, re.ASCII)
        ):
            raise ValueError(f"is not {self.expected}")
        return text

    def write(self, value: str) -> str:
        """Return the text."""
        return value


@dataclass(frozen=True, slots=True)
class Key(Kind):
    """The name under which connections are counted together."""

    expected = "1 to 64 of A-Z a-z 0-9 . _ -"

    def parse(self, text: str, limits: Limits) -> str:
        """Return the key. On a public server it must be too long to be guessed."""
        if not re.fullmatch(r"[A-Za-z0-9._-]{1,64}", text, re.ASCII):
            raise ValueError(f"is not {self.expected}")
        if len(text) < limits.key:
            raise ValueError(f"is too short: at least {limits.key} characters are needed, so that nobody guesses it")
        return text

    def write(self, value: str) -> str:
        """Return the key."""
        return value


@dataclass(frozen=True, slots=True)
class Choice(Kind):
    """One of a few words."""

    words: tuple[str, ...]

    @property
    def expected(self) -> str:
        """What is accepted, in words."""
        return f"one of {', '.join(self.words)}"

    @property
    def choices(self) -> tuple[str, ...]:
        """The words."""
        return self.words

    def parse(self, text: str, limits: Limits) -> str:
        """Return the word."""
        if text not in self.words:
            raise ValueError(f"is not {self.expected}")
        return text

    def write(self, value: str) -> str:
        """Return the word."""
        return value


@dataclass(frozen=True, slots=True)
class Either(Kind):
    """One of a few words, or a value of another type."""

    words: tuple[str, ...]
    other: Kind

    @property
    def expected(self) -> str:
        """What is accepted, in words."""
        return f"{', '.join(self.words)}, or {self.other.expected}"

    @property
    def name(self) -> str:
        """The name of the other type."""
        return self.other.name

    @property
    def choices(self) -> tuple[str, ...]:
        """The words."""
        return self.words

    def bounds(self, limits: Limits) -> tuple[float | None, float | None]:
        """Return the bounds of the other type."""
        return self.other.bounds(limits)

    def parse(self, text: str, limits: Limits) -> Any:
        """Return the word, or the other value."""
        if text in self.words:
            return text
        try:
            return self.other.parse(text, limits)
        except ValueError as error:
            raise ValueError(str(error).replace(self.other.expected, self.expected)) from None

    def write(self, value: Any) -> str:
        """Return the word, or the canonical text of the other value."""
        return value if value in self.words else self.other.write(value)


@dataclass(frozen=True, slots=True)
class Switch(Kind):
    """An option that is on where its name stands alone."""

    expected = "on, off, or nothing, which is on"

    @property
    def choices(self) -> tuple[str, ...]:
        """The words."""
        return ("on", "off")

    def parse(self, text: str, limits: Limits) -> bool:
        """Return whether it is on."""
        if text not in ("", "on", "off"):
            raise ValueError(f"is not {self.expected}")
        return text != "off"

    def write(self, value: bool) -> str:
        """Return nothing for on."""
        return "" if value else "off"


@dataclass(frozen=True, slots=True)
class Bytes(Kind):
    """Data: text as it stands, `hex:`, `b64:` or `size:`. With `as_text`, the bytes must be valid UTF-8.

    `most` is a number of bytes, 0 for no other limit than that of all that is sent. With `is_short`, it is that of the
    data that is kept in memory.
    """

    as_text: bool = False
    most: int = 0
    is_short: bool = False

    @property
    def expected(self) -> str:
        """What is accepted, in words."""
        return "text, hex:, b64: or size:" + (f", of at most {self.most} bytes" if self.most else "")

    def parse(self, text: str, limits: Limits) -> Data:
        """Return the data."""
        form, colon, rest = text.partition(":")
        is_text = not colon or form not in _DATA_FORMS
        data = _AS_TEXT(text, limits) if is_text else _DATA_FORMS[form](rest, limits)
        most = limits.data if self.is_short else self.most
        if most and data.size > most:
            raise ValueError(f"is {data.size} bytes long: at most {most} are allowed here")
        if self.as_text and not _is_utf8(data.given):
            raise ValueError("is not valid UTF-8, which text must be: a binary message or raw bytes can hold it")
        return data

    def write(self, value: Data) -> str:
        """Return the data in the form that it was given in."""
        if value.form == "text":
            return value.given.decode()
        rest = {"hex": value.given.hex(), "b64": to_base64(value.given), "size": written_size(value.size)}
        return f"{value.form}:{rest[value.form]}"


def _is_utf8(data: bytes) -> bool:
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return True


def _literal(form: str, read: Callable[[str], bytes]) -> Callable[[str, Limits], Data]:
    def parse(text: str, limits: Limits) -> Data:
        data = read(text)
        return Data(form, data, len(data))

    return parse


def _of_size(text: str, limits: Limits) -> Data:
    return Data("size", b"", Size().parse(text, limits))


_AS_TEXT = _literal("text", str.encode)
# By the word before the colon. What begins with another word is text.
_DATA_FORMS: dict[str, Callable[[str, Limits], Data]] = {
    "hex": _literal("hex", from_hex),
    "b64": _literal("b64", from_base64),
    "size": _of_size,
}


@dataclass(frozen=True, slots=True)
class Amount:
    """How much must have happened: messages, seconds or bytes, as `unit` says."""

    unit: str
    value: float


@dataclass(frozen=True, slots=True)
class Until(Kind):
    """A number of messages, a duration or a number of bytes, told apart by the unit."""

    expected = "a number of messages such as 3, a duration such as 10s, or a size such as 64KiB"

    def parse(self, text: str, limits: Limits) -> Amount:
        """Return the amount."""
        if _COUNT.fullmatch(text):
            return Amount("messages", Count().parse(text, limits))
        if _milliseconds(text) is not None:
            return Amount("seconds", Duration().parse(text, limits))
        if text.endswith("B"):
            return Amount("bytes", Size(1, needs_unit=True).parse(text, limits))
        raise ValueError(f"is not {self.expected}")

    def write(self, value: Amount) -> str:
        """Return the amount with its unit."""
        if value.unit == "seconds":
            return written_duration(value.value)
        return written_size(int(value.value)) if value.unit == "bytes" else str(int(value.value))
