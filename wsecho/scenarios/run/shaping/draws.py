"""Random decisions that a seed repeats, whatever the time between them. Pure."""

from random import Random


class Draws:
    """Draws from a seed, by name and by the number of a message."""

    def __init__(self, seed: int) -> None:
        self._seed = seed

    def draw(self, name: str, number: int) -> float:
        """Return a number from 0 to below 1: the first of `random.Random`, seeded with the text `SEED NAME NUMBER`."""
        return Random(f"{self._seed} {name} {number}").random()
