"""Pictures of the page in its states, for a person to look at. `make screenshots` writes them to build/screenshots, and
the one that README.md shows to docs/images.
"""

import os
from pathlib import Path
from typing import Any

import pytest

from tests.page.conftest import OpenPage
from tests.page.states import STATES

LOOKS: dict[str, dict[str, Any]] = {
    "wide-light": {"color_scheme": "light"},
    "wide-dark": {"color_scheme": "dark"},
    "narrow-light": {"color_scheme": "light", "viewport": {"width": 390, "height": 844}},
    "narrow-dark": {"color_scheme": "dark", "viewport": {"width": 390, "height": 844}},
}
IS_WANTED = "WSECHO_SCREENSHOTS" in os.environ


# Without a person who looks at them, one picture is enough: test_accessibility.py reaches every state.
@pytest.mark.parametrize("look", LOOKS if IS_WANTED else ["narrow-dark"])
@pytest.mark.parametrize("state", STATES if IS_WANTED else ["json"])
def test_screenshot(open_page: OpenPage, tmp_path: Path, state: str, look: str) -> None:
    folder = Path(os.environ.get("WSECHO_SCREENSHOTS", tmp_path))
    client = open_page(**LOOKS[look])
    STATES[state](client)
    picture = folder / f"{state}-{look}.png"
    client.page.screenshot(path=picture)
    assert picture.stat().st_size > 5000
