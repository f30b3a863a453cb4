"""Evaluation of models that reason: the answer is read behind the reasoning, never in it."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from tests.datagen.endpoint import Endpoint, Served
from train.cli import main
from train.evaluate.metrics import before_answer


class Thinking(Endpoint):
    """Thinks of the right answer and gives it, or thinks of it and is cut off (`said` empty)."""

    def __init__(self, said: str) -> None:
        super().__init__()
        self.said = said

    def reply(self, body: dict[str, Any], fault: str) -> dict[str, Any]:
        reply = super().reply(body, fault)
        for choice in reply["choices"]:
            total = sum(map(int, re.findall(r"\d+", body["messages"][-1]["content"])[:2]))
            close = "\n</think>\n\n" if self.said else ""
            text = f"<think>\nIt may be that the answer is {total}.{close}{self.said}"
            choice["message"] = {"content": text.format(total=total)}
            choice["finish_reason"] = "stop" if self.said else "length"
        return reply


def evaluated(
    folder: Path, monkeypatch: pytest.MonkeyPatch, said: str, *more: str
) -> tuple[dict[str, Any], list[dict[str, Any]], Endpoint]:
    """The report, the answers, and the endpoint."""
    data = folder / "data" / "gsm8k"
    data.mkdir(parents=True)
    rows = [{"question": f"What is {a} plus 4?", "answer": f"#### {a + 4}"} for a in (10, 20)]
    (data / "test.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    endpoint = Thinking(said)
    words = ["--suite", "gsm8k", "--data_root", str(folder / "data"), "--samples", "1"]
    words += ["--teacher", "openai:arith", "--out", str(folder / "out")]
    monkeypatch.setenv("OPENAI_API_KEY", "test-key")
    with Served(endpoint) as url:
        monkeypatch.setenv("OPENAI_BASE_URL", url)
        assert main(["evaluate", *words, *more]) == 0
    lines = (folder / "out" / "answers.jsonl").read_text().splitlines()
    report = json.loads((folder / "out" / "report.json").read_text())
    return report, [json.loads(line) for line in lines], endpoint


def test_the_answer_stands_behind_the_reasoning(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    report, answers, endpoint = evaluated(tmp_path, monkeypatch, "The answer is 7{total}.")
    assert [answer["answer"] for answer in answers] == ["714", "724"]
    assert [answer["samples"] for answer in answers] == [["714"], ["724"]]
    assert answers[0]["reasoning"] == "It may be that the answer is 14."
    assert answers[0]["text"] == "The answer is 714."
    assert not {"thinking", "chat_template_kwargs"} & set(report["settings"])
    assert "chat_template_kwargs" not in endpoint.bodies[0]


def test_a_model_that_is_cut_off_while_it_thinks_has_not_answered(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    report, answers, endpoint = evaluated(tmp_path, monkeypatch, "", "--thinking", "true")
    assert [answer["answer"] for answer in answers] == [None, None]
    assert "2 of 2 answers are reasoning alone; give a larger" in capsys.readouterr().err
    assert report["suites"][0]["models"][0]["greedy_accuracy"]["value"] == 0
    assert report["settings"]["thinking"] is True
    assert endpoint.bodies[0]["chat_template_kwargs"] == {"enable_thinking": True}


def test_the_gold_answer_replaces_the_answer_and_not_the_reasoning() -> None:
    text = "<think>\nThe answer is 3.\n</think>\n\nThe answer is 7."
    assert before_answer(text, "rationale") == text.removesuffix(" 7.")
