"""--thinking and --chat_template_kwargs: what each engine is sent, and when they are refused."""

import asyncio
from pathlib import Path
from types import SimpleNamespace

import pytest
from jinja2 import Template

from datagen.errors import UserError
from datagen.teacher import Request, connect
from datagen.teacher.chat.options import ChatOptions, template_variables
from datagen.teacher.dialect.thinking import chat_fields
from datagen.teacher.settings import TeacherSettings
from tests.datagen.endpoint import Endpoint, Served

TURNS = "{% for m in messages %}[{{ m.role }}]{{ m.content }}{% endfor %}"
OPEN = "{% if add_generation_prompt %}[assistant]"
PLAIN = f"{TURNS}{OPEN}{{% endif %}}"
ALWAYS = f"{TURNS}{OPEN}<think>\n{{% endif %}}"
SWITCH = (
    f"{TURNS}{OPEN}{{% if enable_thinking is defined and not enable_thinking %}}"
    "<think>\n\n</think>\n\n{% endif %}{% endif %}"
)
EFFORT = f"{TURNS}{OPEN}{{{{ reasoning_effort }}}}{{% endif %}}"
OTHER = f"{TURNS}{OPEN}{{% if thinking %}}<think>{{% endif %}}{{% endif %}}"


def model(template):
    def render(messages, *, tokenize, **variables):
        return Template(template).render(messages=messages, **variables)

    return SimpleNamespace(chat_template=template, apply_chat_template=render)


@pytest.mark.parametrize(
    ("template", "thinking", "variables"),
    [
        (SWITCH, False, {"enable_thinking": False}),
        (SWITCH, True, {"enable_thinking": True}),
        (OTHER, False, {"thinking": False}),
        (SWITCH, None, {}),
        # nothing to switch: the model does what is asked anyway
        (PLAIN, False, {}),
        (ALWAYS, True, {}),
        (EFFORT, True, {}),
        ({"default": SWITCH, "tool_use": PLAIN}, False, {"enable_thinking": False}),
    ],
)
def test_thinking_sets_the_switch_of_the_template(template, thinking, variables):
    assert ChatOptions(thinking).for_tokenizer(model(template), "m") == variables


@pytest.mark.parametrize(
    ("template", "options", "message"),
    [
        (PLAIN, {"thinking": True}, "no switch for thinking"),
        (ALWAYS, {"thinking": False}, "m always thinks, by its chat template$"),
        (EFFORT, {"thinking": False}, "less with --chat_template_kwargs"),
        (None, {"thinking": True}, "no switch for thinking"),
        (SWITCH, {"variables": {"enable_thinkin": False}}, "has no 'enable_thinkin'"),
    ],
)
def test_what_a_template_cannot_do_is_refused(template, options, message):
    with pytest.raises(UserError, match=message):
        ChatOptions(**options).for_tokenizer(model(template), "m")


def test_a_word_of_a_text_is_no_variable():
    template = "{{ 'thinking' }} enable_thinking {% generation %}{{ messages }}{% endgeneration %}"
    assert template_variables(template) == {"messages"}


@pytest.mark.parametrize(
    ("url", "options", "fields"),
    [
        ("http://host:8000/v1", {}, {}),
        (
            "http://host:8000/v1",
            {"thinking": True},
            {"chat_template_kwargs": {"enable_thinking": True}},
        ),
        (
            "http://host:8000/v1",
            {"thinking": False, "variables": {"depth": 2}},
            {"chat_template_kwargs": {"depth": 2, "enable_thinking": False}},
        ),
        ("https://api.openai.com/v1", {"thinking": False}, {"reasoning_effort": "none"}),
        ("https://me.openai.azure.com/v1", {"thinking": True}, {"reasoning_effort": "medium"}),
        (
            "https://notopenai.com/v1",
            {"thinking": False},
            {"chat_template_kwargs": {"enable_thinking": False}},
        ),
    ],
)
def test_an_endpoint_gets_the_fields_that_it_takes(url, options, fields):
    assert chat_fields(ChatOptions(**options), url) == fields


def asked(monkeypatch, prompt, **options):
    """Body of the request, and the teacher's identity."""
    endpoint = Endpoint()

    async def go():
        teacher = connect("openai:arith", **options)
        try:
            await teacher.complete(Request(prompt))
            return await teacher.identify()
        finally:
            await teacher.close()

    monkeypatch.setenv("OPENAI_API_KEY", "test-key")
    with Served(endpoint) as url:
        monkeypatch.setenv("OPENAI_BASE_URL", url)
        identity = asyncio.run(go())
    return endpoint.bodies[0], identity.replace(url, "URL")


CHAT = (("user", "What is 3 plus 4?"),)


def test_a_request_names_the_options_only_if_they_are_set(monkeypatch):
    body, identity = asked(monkeypatch, CHAT)
    assert not {"chat_template_kwargs", "reasoning_effort"} & set(body)
    # what journals and lineages of earlier releases hold
    assert identity == "openai:arith@URL"

    body, identity = asked(monkeypatch, CHAT, thinking=False, chat_template_kwargs={"depth": 2})
    assert body["chat_template_kwargs"] == {"depth": 2, "enable_thinking": False}
    assert identity == ('openai:arith[thinking=false, chat_template_kwargs={"depth": 2}]@URL')


def test_a_text_to_continue_has_no_chat_template(monkeypatch):
    body, _ = asked(monkeypatch, "What is 3 plus 4?", thinking=False)
    assert "chat_template_kwargs" not in body


@pytest.mark.parametrize("identity", ["hf:micro", "micro"])
def test_local_models_are_named_with_the_options_too(identity, tiny_model):
    spec = "micro" if identity == "micro" else f"hf:{tiny_model}"
    plain = asyncio.run(connect(spec).identify())
    other = asyncio.run(connect(spec, thinking=False).identify())
    assert other == plain.replace(spec, f"{spec}[thinking=false]")


def test_settings_that_contradict_each_other_are_refused():
    with pytest.raises(UserError, match="give one"):
        TeacherSettings(thinking=True, chat_template_kwargs={"enable_thinking": False})
    with pytest.raises(UserError, match="cannot be written as JSON"):
        TeacherSettings(chat_template_kwargs={"when": object()})


@pytest.mark.parametrize("given", ["{bad", "[1]", "7", '"text"'])
def test_what_is_no_json_object_is_refused_in_one_line(given):
    with pytest.raises(UserError, match="write a JSON object such as"):
        TeacherSettings(chat_template_kwargs=given)


def test_the_embedded_teacher_cannot_think(monkeypatch):
    with pytest.raises(UserError, match="--thinking true: the chat template of micro"):
        asyncio.run(connect("micro", thinking=True).open())


def shipped_templates():
    """The chat templates that TRL ships."""
    trl = pytest.importorskip("trl")
    return sorted((Path(trl.__file__).parent / "chat_templates").glob("*.jinja"))


def test_the_switch_of_every_template_that_trl_ships_is_found():
    found = {file.stem: template_variables(file.read_text()) for file in shipped_templates()}
    assert len(found) > 20
    with_switch = {name for name, variables in found.items() if "enable_thinking" in variables}
    assert {"qwen3", "glm4moe"} <= with_switch
    assert not {"qwen2_5", "llama3", "deepseekv3"} & with_switch
