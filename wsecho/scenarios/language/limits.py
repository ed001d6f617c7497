"""What a scenario may ask for, on a server for its own machine and on a public one."""

from typing import NamedTuple


class Limits(NamedTuple):
    """The limits. Sizes are bytes, times are seconds. `share` is the part of all connections that scenarios may have.

    `seconds`, `bytes_out` and `frames_out` hold for what one connection gets. `per_address` is a number of connections,
    0 for no limit. `key` is the shortest key. `cookie` is the life of a cookie; 0: none is set. `memory` is what the
    scenarios of a worker may keep for long writes, all together.
    """

    steps: int
    phases: int
    argument: int
    duration: float
    seconds: float
    bytes_out: int
    frames_out: int
    data: int
    keys: int
    events: int
    share: float
    per_address: int
    key: int
    cookie: int
    memory: int


LOCAL = Limits(
    steps=32,
    phases=8,
    argument=4096,
    duration=15 * 60,
    seconds=60 * 60,
    bytes_out=1 << 30,
    frames_out=1_000_000,
    data=64 << 10,
    keys=10_000,
    events=4096,
    share=0.5,
    per_address=0,
    key=1,
    cookie=60,
    memory=256 << 20,
)
PUBLIC = Limits(
    steps=16,
    phases=4,
    argument=1024,
    duration=60,
    seconds=2 * 60,
    bytes_out=8 << 20,
    frames_out=10_000,
    data=4096,
    keys=1000,
    events=256,
    share=0.25,
    per_address=5,
    key=16,
    cookie=0,
    memory=64 << 20,
)
