"""What a model says in the end, as plain text: no thinking aloud, no markup, nothing it ran on to."""

from __future__ import annotations

import html
import re
import unicodedata

_TAG = r"(?:think(?:ing)?|thoughts?|reason(?:ing)?|scratchpad|reflection|analysis|seed:think)"
_OPENS = rf"<{_TAG}>|<\|begin_of_thought\|>|\[THINK\]|◁think▷"
_CLOSES = rf"</{_TAG}>|<\|end_of_thought\|>|\[/THINK\]|◁/think▷"
_THOUGHT = re.compile(rf"(?:{_OPENS})(?:(?!{_OPENS}).)*?(?:{_CLOSES})", re.DOTALL | re.IGNORECASE)
_OPEN = re.compile(_OPENS, re.IGNORECASE)
_CLOSE = re.compile(_CLOSES, re.IGNORECASE)
_CHANNEL = re.compile(r"<\|channel\|>(\w+)[^<]*<\|message\|>|\bassistant(final)(?=\S)")
_SPECIAL = re.compile(
    r"<\|[^|<>\n]{1,40}\|>|</?s>|<(?:eos|bos|pad|unk|end_of_turn|start_of_turn)>|\[/?INST\]"
)
_INVISIBLE = re.compile("[\u00ad\u200b-\u200f\u202a-\u202e\u2060-\u2064\ufe00-\ufe0f\ufeff]")
_STRUCK = re.compile(r"~~.*?~~|<(del|strike)>.*?</\1>", re.DOTALL)
_LINE_TAG = re.compile(r"<(?:br|/p|/div|/li|/h\d)\s*/?>", re.IGNORECASE)
_HTML = re.compile(r"(?!<[A-Z]>(?![^\n]*</))</?[a-zA-Z][^<>\n]{0,80}>")
_COMMAND = re.compile(
    r"\\+(?:text(?:bf|it|rm|sf|tt)?|math\w*|mbox|rm|bf|bm|fbox|boxed|underline|emph|large)\b\s*"
)
_SPACING = re.compile(r"\\+(?:[,;:! ()\[\]]|quad\b|qquad\b|left\b|right\b)|[${}]")
_MARKS = re.compile(r"```\w*|[*`|]|(?<![^\W_])_+|_+(?![^\W_])|^\s*(?:#+|>+|[-•·]\s)\s*", re.MULTILINE)
_RUN_ON = re.compile(
    r"\n\s*(?:#+\s*)?(?:(?:next )?question|q|user|human|input|problem|"
    r"问题|题目|下一题|用户|问)\s*\d*\s*[:.、)]",
    re.IGNORECASE,
)


def without_thoughts(text: str) -> str:
    """Return what a model says once it has thought: nothing, where its thinking never ends."""
    channels = list(_CHANNEL.finditer(text))
    if channels:
        last = channels[-1]
        text = text[last.end() :] if "final" in last.groups() else ""
    while (shorter := _THOUGHT.sub(" ", text)) != text:
        text = shorter
    text = _CLOSE.split(text)[-1]  # its opening tag may stand in the prompt
    return _OPEN.split(text)[0]


def tidy(text: str) -> str:
    """Return a text with one form of each letter, and without invisible and special tokens."""
    text = unicodedata.normalize("NFKC", _INVISIBLE.sub("", text))
    return _SPECIAL.sub(" ", without_thoughts(text)).strip()


def plain(text: str) -> str:
    """Return a tidy text without HTML, LaTeX and Markdown; what is struck out is gone."""
    text = _LINE_TAG.sub("\n", _STRUCK.sub(" ", text))
    text = html.unescape(_HTML.sub("", text))
    return _MARKS.sub("", _SPACING.sub(" ", _COMMAND.sub("", text))).strip()


def before_run_on(text: str) -> str:
    """Return a plain text up to where a model begins to ask itself the next question."""
    return _RUN_ON.split(text, maxsplit=1)[0].strip()
