"""Xet, the client's own way for large files: it is on, and the server does not offer it."""

import pytest
from huggingface_hub import constants

from tests.hub.conftest import datagen, published
from tests.hub.server import TOKEN

pytest.importorskip("hf_xet")


@pytest.fixture
def xet(hub, monkeypatch):
    """The client as it comes: `hf_xet` is installed, and nothing turns it off."""
    monkeypatch.setattr(constants, "HF_HUB_DISABLE_XET", False)
    return hub


def test_a_server_without_xet_is_one_line_that_says_what_to_do(xet, run, monkeypatch, capsys):
    assert datagen("publish", run, "org/sums", "--hub") == 2
    said = capsys.readouterr().err
    assert "set HF_HUB_DISABLE_XET=1, and give the same command again" in said
    assert said.count("\n") == 1
    assert TOKEN not in said
    assert "put" not in xet.routes
    assert not xet.repositories["org/sums"].tags

    # what the line says helps
    monkeypatch.setattr(constants, "HF_HUB_DISABLE_XET", True)
    assert datagen("publish", run, "org/sums", "--hub") == 0
    assert published(xet) == [("v1.0.0", "Publish 1.0.0")]


def test_reading_needs_no_xet(xet, run, monkeypatch):
    with monkeypatch.context() as off:
        off.setattr(constants, "HF_HUB_DISABLE_XET", True)
        assert datagen("publish", run, "org/sums", "--hub") == 0
    assert datagen("verify", "org/sums", "--hub") == 0
    assert datagen("pull", "org/sums") == 0


def test_the_advice_is_not_given_where_xet_is_off(hub, monkeypatch):
    from datagen.versions.connection import explain

    error = ConnectionError("Network error: 404")
    assert "HF_HUB_DISABLE_XET" not in explain(error, "org/sums")
    monkeypatch.setattr(constants, "HF_HUB_DISABLE_XET", False)
    assert "HF_HUB_DISABLE_XET=1" in explain(error, "org/sums")
