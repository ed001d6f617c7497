"""A model of compressed messages, written from RFC 1951 for clarity alone. zlib's verdict is compared with it."""

from dataclasses import dataclass, field
from typing import Literal

Verdict = Literal["whole", "unfinished", "invalid"]

# RFC 1951 section 3.2.5: the smallest length or distance of a code, and the number of bits that follow it.
LENGTHS = [(3 + code, 0) for code in range(8)]
for bits in range(1, 6):
    LENGTHS += [(3 + (4 + step << bits), bits) for step in range(4)]
LENGTHS[-1:] = [(227, 5), (258, 0)]
DISTANCES = [(1 + code, 0) for code in range(4)]
for bits in range(1, 14):
    DISTANCES += [(1 + (2 + step << bits), bits) for step in range(2)]
# Section 3.2.7: the order of the lengths of the codes for code lengths.
ORDER = (16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15)
END_OF_BLOCK = 256


class UnfinishedError(Exception):
    """There are no more bits."""


class InvalidError(Exception):
    """The data is not valid deflate data."""


class Codes:
    """Canonical prefix codes (section 3.2.2), made from the code length of each symbol; 0 means that it has no code."""

    def __init__(self, lengths: list[int], *, may_be_alone: bool) -> None:
        self.longest = max([1, *lengths])
        used = sum(1 << self.longest - length for length in lengths if length)
        alone = may_be_alone and max(lengths) <= 1
        if used > 1 << self.longest or (used < 1 << self.longest and not alone):
            raise InvalidError
        self.symbols: dict[tuple[int, int], int] = {}
        code = 0
        for length in range(1, self.longest + 1):
            for symbol in (symbol for symbol, its_length in enumerate(lengths) if its_length == length):
                self.symbols[length, code] = symbol
                code += 1
            code <<= 1


@dataclass
class Reader:
    """Reads the blocks of a message."""

    data: bytes
    position: int = 0
    inflated: bytearray = field(default_factory=bytearray)
    # Where the current deflate stream began.
    begin: int = 0

    def bits(self, count: int) -> int:
        if self.position + count > 8 * len(self.data):
            raise UnfinishedError
        value = 0
        for index in range(count):
            value |= (self.data[self.position >> 3] >> (self.position & 7) & 1) << index
            self.position += 1
        return value

    def symbol(self, codes: Codes) -> int:
        code = 0
        for length in range(1, codes.longest + 1):
            code = code << 1 | self.bits(1)
            if (length, code) in codes.symbols:
                return codes.symbols[length, code]
        raise InvalidError

    def align(self) -> None:
        self.position = -(-self.position // 8) * 8

    @property
    def is_at_end(self) -> bool:
        return self.position >= 8 * len(self.data)

    def message(self) -> None:
        """Read to the header of the block that ends the message, or to the end of a stream."""
        while True:
            last, kind = self.bits(1), self.bits(2)
            if kind == 0:
                self.align()
                if self.is_at_end:
                    return
                self.stored()
            elif kind == 1:
                fixed = [8] * 144 + [9] * 112 + [7] * 24 + [8] * 8
                self.compressed(Codes(fixed, may_be_alone=False), Codes([5] * 32, may_be_alone=False))
            elif kind == 2:
                self.compressed(*self.tables())
            else:
                raise InvalidError
            if last:
                self.align()
                self.begin = len(self.inflated)
                if self.is_at_end:
                    return

    def stored(self) -> None:
        size = self.bits(16)
        if size ^ self.bits(16) != 0xFFFF:
            raise InvalidError
        for _ in range(size):
            self.inflated.append(self.bits(8))

    def tables(self) -> tuple[Codes, Codes]:
        literals, distances, count = self.bits(5) + 257, self.bits(5) + 1, self.bits(4) + 4
        if literals > 286 or distances > 30:
            raise InvalidError
        lengths = [0] * 19
        for symbol in ORDER[:count]:
            lengths[symbol] = self.bits(3)
        if not any(lengths):
            # zlib takes each bit for a symbol without a code, and finds at the end that no code ends the block.
            self.bits(literals + distances)
            raise InvalidError
        codes = Codes(lengths, may_be_alone=False)
        lengths = []
        while len(lengths) < literals + distances:
            symbol = self.symbol(codes)
            if symbol < 16:
                lengths.append(symbol)
            elif symbol == 16:
                # Repeats the previous length, if there is one.
                repeat = 3 + self.bits(2)
                if not lengths:
                    raise InvalidError
                lengths += lengths[-1:] * repeat
            else:
                lengths += [0] * (3 + self.bits(3) if symbol == 17 else 11 + self.bits(7))
        if len(lengths) > literals + distances or not lengths[END_OF_BLOCK]:
            raise InvalidError
        return Codes(lengths[:literals], may_be_alone=True), Codes(lengths[literals:], may_be_alone=True)

    def compressed(self, literals: Codes, distances: Codes) -> None:
        while (symbol := self.symbol(literals)) != END_OF_BLOCK:
            if symbol < END_OF_BLOCK:
                self.inflated.append(symbol)
                continue
            if symbol > 285:
                raise InvalidError
            least, extra = LENGTHS[symbol - 257]
            length = least + self.bits(extra)
            code = self.symbol(distances)
            if code > 29:
                raise InvalidError
            least, extra = DISTANCES[code]
            distance = least + self.bits(extra)
            if distance > len(self.inflated) - self.begin:
                raise InvalidError
            for _ in range(length):
                self.inflated.append(self.inflated[-distance])


def judge(payload: bytes) -> tuple[Verdict, int]:
    """Return the verdict on a first message of these bytes (RFC 7692 section 7.2.1), and its inflated size."""
    reader = Reader(payload)
    try:
        reader.message()
    except UnfinishedError:
        return "unfinished", len(reader.inflated)
    except InvalidError:
        return "invalid", len(reader.inflated)
    return "whole", len(reader.inflated)
