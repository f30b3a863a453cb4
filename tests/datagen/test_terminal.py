"""What is printed controls no terminal: errors, progress, summaries, lists and the page."""

import json

import pytest
from aiohttp import web

from datagen.cli import main
from datagen.errors import UserError
from datagen.flags import run_command
from datagen.terminal import show, visible
from tests.datagen.endpoint import Endpoint, Served

HOSTILE = "\x1b[2J\x1b]0;owned\x07\x9b31m\u202egnp.exe\u200b\x08\r"


@pytest.mark.parametrize("char", ["\x00", "\x07", "\x08", "\r", "\x1b", "\x7f", "\x9b", "\u202e"])
def test_a_character_that_controls_a_terminal_is_shown_as_its_code(char):
    assert visible(f"a{char}b") == f"a<U+{ord(char):04X}>b"


def test_what_controls_nothing_stays(capsys):
    text = "naïve – 密码 😀\nÅ"
    assert visible(text) == text
    show(f"{text}\tend")
    show("warning", error=True)
    said = capsys.readouterr()
    assert said.out == f"{text}    end\n"
    assert said.err == "warning\n"
    show("half \ud83d of a pair")
    assert capsys.readouterr().out == "half <U+D83D> of a pair\n"


def test_an_error_is_shown_as_text(capsys):
    def fail(settings):
        raise UserError(f"the server says {HOSTILE}")

    from datagen.publish.settings import VersionsSettings

    assert (
        run_command("datagen", "", {"versions": (VersionsSettings, fail)}, ["versions", "a"]) == 2
    )
    assert_shown_as_text(capsys.readouterr().err)


class Hostile(Endpoint):
    """Writes characters that control a terminal wherever it can."""

    def fault(self):
        return "hostile" if len(self.bodies) % 2 else ""

    def reply(self, body, fault):
        found = super().reply(body, fault)
        if fault:
            found = {"error": {"message": f"{HOSTILE} no such model", "code": HOSTILE}}
        else:
            found["choices"][0]["message"]["content"] += HOSTILE
        return found | {"model": HOSTILE}

    async def models(self, request):
        return web.json_response({"data": [{"id": "arith"}, {"id": HOSTILE}]})


def test_no_command_prints_what_a_server_wrote_as_it_is(tmp_path, monkeypatch, capfd):
    questions = [{"question": f"What is {n} plus 2?", "answer": str(n + 2)} for n in range(12)]
    file = tmp_path / "sums.jsonl"
    file.write_text("".join(json.dumps(row) + "\n" for row in questions))
    out = tmp_path / "run"
    monkeypatch.setattr("datagen.teacher.endpoint.endpoint.LONGEST_DELAY_S", 0.01)
    monkeypatch.setenv("OPENAI_API_KEY", "test-key")
    monkeypatch.setenv("EMERGENT_STORE", str(tmp_path / "store"))
    with Served(Hostile()) as url:
        monkeypatch.setenv("OPENAI_BASE_URL", url)
        words = ["rationales", str(file), "--teacher", "openai:arith", "--out", str(out)]
        main([*words, "--samples", "1", "--temperature", "0"])
        assert_shown_as_text("".join(capfd.readouterr()), hostile=False)
        assert main([*words, "--teacher", "openai:gpt", "--out", f"{out}-2"]) == 2
        assert_shown_as_text(capfd.readouterr().err)
    assert main(["publish", str(out), "sums"]) == 0
    assert main(["inspect", str(out)]) == 0
    for command in (["versions", "sums"], ["verify", "sums"], ["diff", "sums", "sums"]):
        assert main(command) == 0
    assert_shown_as_text("".join(capfd.readouterr()), hostile=False)
    page = next(out.glob("*.html")).read_text()
    card = (tmp_path / "store/sums/1.0.0/README.md").read_text()
    for text in (page, card):
        assert not [char for char in HOSTILE if char in text and not char.isprintable()]
    assert "U+001B" in page


def assert_shown_as_text(said, *, hostile=True):
    assert not [char for char in said if not char.isprintable() and char != "\n"]
    assert ("<U+001B>[2J" in said and "<U+202E>" in said) or not hostile
