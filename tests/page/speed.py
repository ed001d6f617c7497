"""Demands on the page's speed.

They are judged by `make bench-page`, which needs a machine that does nothing else. Other runs of the same tests judge
only what does not depend on time, and print the figures.
"""

import os

IS_JUDGED = os.environ.get("WSECHO_JUDGE_SPEED") == "1"


def demand(is_met: bool, figures: str) -> None:
    """Print the figures. If speed is judged, fail if the demand is not met."""
    print(figures)
    assert is_met or not IS_JUDGED, figures
