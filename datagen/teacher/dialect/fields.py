"""Which optional fields of a request a server takes, found out from what it refuses.

A server refuses a request with a sentence that names a field. `Terms.after` reads it and returns
the terms for another attempt: without the field, or with another name for it. The caller keeps
them only if that attempt is answered. So a sentence that was misunderstood changes one request.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from datagen.errors import Refused, UserError

STATUSES = {400, 404, 405, 415, 422, 500, 501}
"""The statuses with which servers refuse a field."""
OLD_LIMIT = "max_tokens"
NEW_LIMIT = "max_completion_tokens"
SYSTEM = "system"
"""Stands for the system turn, which is no field of its own."""

EFFECTS = {
    "top_p": "top_p is left out",
    "temperature": "temperature is left out, so the server's own holds",
    "seed": "seed is left out",
    "n": "the samples are asked for one by one",
    "stop": "the answers are cut at the stop strings here",
    OLD_LIMIT: f"{OLD_LIMIT} is sent as {NEW_LIMIT}",
    SYSTEM: "the system turn is put before the first user turn",
}
"""What happens instead, for every field that a server need not take. `top_p` comes before
`temperature`: of two that exclude each other the first is left out."""
NEEDED = {
    "logprobs": "gives no log-probabilities, which --weighted and --keep best need",
    "response_format": "takes no JSON schema, which --structured needs",
}
"""Fields without which the answers are of no use, and what a server that refuses them lacks."""
ALIASES = {
    "n": "n|candidate_?count",
    "stop": "stop|stop_?sequences",
    "top_p": "top_?p",
    "logprobs": "logprobs|top_logprobs",
}
"""Other names that servers use for a field in their messages."""

QUOTE = r"['\"`“‘\[(]"
NAMED = r"""
    {quote}(?:body\.|\#/)?{name}\b                                       # 'seed', [seed]
  | \b(?:param\w*|fields?|arguments?|keys?|options?|propert\w+|names?|inputs?|supplied)
    \s*[:=]?\s*{name}\b                                                  # parameter: seed
  | \b{name}\s*(?::|->|(?:is|are|was|does|do|must|may|can|cannot|isn't|doesn't|should|of
    |param\w*|fields?|arguments?|options?|values?|extra|unsupported)\b)  # seed is not
  | \b(?:supports?|supported|unsupported|unknown|unrecogni[sz]ed|unexpected|allows?|accepts?|use
    |using|with|specify|set|invalid|returns?|body\s*->)\s+(?:the\s+)?{name}\b  # support seed
  | :\s*{name}\s*(?:[,.;(]|$)                                            # not supported: seed
"""
"""How a message names a field. The bare word is not enough: `stop` and `n` are English."""
UNNAMED = {
    "n": r"multiple (candidates|completions|choices|samples|generations)",
    "logprobs": r"log[- ]?prob(abilitie)?s? (is|are) (not|un)",
}
"""Sentences that speak of a field without its name."""
NOT_TAKEN = re.compile(
    r"unsupported|unrecogni[sz]ed|unknown|unexpected|extra[ _](inputs?|fields?|forbidden)"
    r"|extraneous|forbidden|not_?\s?(be )?(currently )?(support|permi|allow|implement|recogni"
    r"|availabl|enabl|accept|valid|compatib|set\b|used\b|specif|found)"
    r"|n't (currently )?(support|allow|accept|recogni|implement)"
    r"|additional propert|no such|(cannot|can't|can not)\b|cannot find|deprecated|removed|no longer"
    r"|incompatib|disallow|prohibit|invalid (field|param|arg|key)|does not exist"
    r"|only (the )?default|only be (set|used)|only [\d.]+ is|must be (set to |exactly )?1(\.0)?\b"
    r"|use '?max_completion_tokens|has been (renamed|replaced)",
    re.IGNORECASE,
)
"""Words of a server that does not take a field at all, or only its default."""
OUT_OF_RANGE = re.compile(
    r"too (large|small|high|low|big|long)|between|at (most|least)|greater than|less than|exceed"
    r"|out of range|maximum|minimum|positive",
    re.IGNORECASE,
)
"""Words of a server that takes a field, but not this value. The value is the user's to change."""
ANY_COMPLAINT = {"n", "stop"}
"""Fields that are left out for any complaint, because the rows are the same without them."""
LISTS_OTHERS = re.compile(
    r"(?<!not )\b((supported|allowed|valid|available|permitted|accepted|known) "
    r"(request )?(param\w*|fields?|arg\w*|keys?|options?|propert\w+|values?|inputs?|names?)?\s*"
    r"(are|is|include|:)|expected one of|must be one of|'?input'?:)"
    r".*",
    re.IGNORECASE,
)
"""The end of a message that lists what the server does take, or repeats the request."""
NO_SYSTEM = re.compile(
    r"roles? must alternate|developer instruction|\bsystem\b.{0,60}\b(not|unsupported)\b"
    r"|(\bnot|n't|\bunsupported|\bunexpected|\binvalid|\bunknown)\b.{0,60}\bsystem\b"
    r"|\bonly\b.{0,60}\buser\b.{0,20}\bassistant\b|\bfirst\b.{0,40}\buser\b"
    r"|should be 'user'|messages\.?\[?0\]?\.role",
    re.IGNORECASE,
)
"""Words of a server whose chat template has no system turn."""


@dataclass(frozen=True)
class Terms:
    """The fields that a server does not take.

    Example:
        >>> terms = Terms(frozenset({"seed", "max_tokens"}))
        >>> terms.apply({"seed": 1, "max_tokens": 8})
        {'max_completion_tokens': 8}
    """

    left_out: frozenset[str] = frozenset()
    """Keys of EFFECTS."""

    def apply(self, body: Mapping[str, Any]) -> dict[str, Any]:
        """Return the body of a request as this server takes it."""
        changed = {name: value for name, value in body.items() if name not in self.left_out}
        if OLD_LIMIT in self.left_out:
            changed[NEW_LIMIT] = body[OLD_LIMIT]
        if SYSTEM in self.left_out and "messages" in body:
            changed["messages"] = fold_system(body["messages"])
        return changed

    def after(self, error: Refused, body: Mapping[str, Any], model: str) -> Terms:
        """Return the terms after a refusal. They are the same if it blames no field.

        Args:
            error: what the server answered.
            body: what was sent.
            model: the name of the teacher, for messages.

        Raises:
            UserError: it blames a field without which the answers are of no use.
        """
        if error.status not in STATUSES:
            return self
        message = str(error)
        for name, lack in NEEDED.items():
            if name in body and is_refused(name, message):
                raise UserError(f"{model} {lack}: {error}") from None
        return Terms(self.left_out | refused_fields(message, body))

    def __or__(self, other: Terms) -> Terms:
        return Terms(self.left_out | other.left_out)


def refused_fields(message: str, body: Mapping[str, Any]) -> set[str]:
    """Return the keys of EFFECTS that a message blames and that the body holds."""
    blamed = [name for name in EFFECTS if name in body and is_refused(name, message)]
    if len(blamed) > 1 and re.search(r"\bboth\b", message):
        return {blamed[0]}
    if not blamed and has_system(body) and NO_SYSTEM.search(message):
        return {SYSTEM}
    return set(blamed)


def is_refused(name: str, message: str) -> bool:
    """Return whether a message says that the server does not take a field."""
    said = LISTS_OTHERS.sub("", message)
    if not is_named(name, said):
        return False
    if name in ANY_COMPLAINT or name in NEEDED:
        return True
    if OUT_OF_RANGE.search(said) and NEW_LIMIT not in said:
        return False
    return bool(NOT_TAKEN.search(said))


def is_named(name: str, message: str) -> bool:
    """Return whether a message speaks of a field."""
    names = rf"(?:{ALIASES.get(name, name)})"
    pattern = NAMED.format(quote=QUOTE, name=names)
    if re.search(pattern, message, re.IGNORECASE | re.VERBOSE):
        return True
    return name in UNNAMED and bool(re.search(UNNAMED[name], message, re.IGNORECASE))


def has_system(body: Mapping[str, Any]) -> bool:
    return any(turn["role"] == "system" for turn in body.get("messages", ()))


def fold_system(messages: Sequence[Mapping[str, str]]) -> list[dict[str, str]]:
    r"""Return chat turns whose system turns stand at the beginning of the first user turn.

    Example:
        >>> fold_system([{"role": "system", "content": "Be kind."},
        ...              {"role": "user", "content": "Hello"}])
        [{'role': 'user', 'content': 'Be kind.\n\nHello'}]
    """
    system = [turn["content"] for turn in messages if turn["role"] == "system"]
    others = [dict(turn) for turn in messages if turn["role"] != "system"]
    first = next((turn for turn in others if turn["role"] == "user"), None)
    if first is None:
        first = {"role": "user", "content": ""}
        others.insert(0, first)
    first["content"] = "\n\n".join(filter(None, [*system, first["content"]]))
    return others
