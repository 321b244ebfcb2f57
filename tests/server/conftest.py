from __future__ import annotations

import pytest
from voice_door import Door


@pytest.fixture
def door() -> Door:
    return Door()
