"""Formats figures as text, with three digits and a suitable unit."""


def quantity(value: float, unit: str) -> str:
    """Return three digits and the unit, with `,` between thousands."""
    digits = 2 if abs(value) < 10 else 1 if abs(value) < 100 else 0
    return f"{value:,.{digits}f} {unit}"


def microseconds(value: float) -> str:
    if value < 1:
        return f"{value * 1000:.0f} ns"
    return quantity(value, "µs") if value < 1000 else quantity(value / 1000, "ms")


def kibibytes(value: float) -> str:
    return quantity(value, "KiB") if value < 1024 else quantity(value / 1024, "MiB")


def mebibytes(value: float) -> str:
    return quantity(value, "MiB")


def seconds(value: float) -> str:
    return quantity(value * 1000, "ms") if value < 1 else quantity(value, "s")


def per_second(value: float) -> str:
    return f"{value:,.0f}"


def share(value: float) -> str:
    return f"{value:.0%}"


def times(ratio: float) -> str:
    """Return a multiple as text: `1.09x`, `5.2x`, `24x`."""
    return f"{ratio:.2f}x" if ratio < 2 else f"{ratio:.1f}x" if ratio < 10 else f"{ratio:.0f}x"
