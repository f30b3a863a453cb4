from pathlib import Path

import pytest

from tests.tiny import save_tiny_model


@pytest.fixture(scope="session")
def tiny_model(tmp_path_factory) -> Path:
    """Folder of a random model with a context of 128 tokens."""
    return save_tiny_model(tmp_path_factory.mktemp("models") / "tiny")
