"""Tools in text: how a prompt describes them, how a model calls one, and how the call is read back."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from harness.api import DataError, UsageError, nearest

Tool = Mapping[str, Any]
LLAMA3_DATE = "26 Jul 2024"  # what Llama 3's own template writes without a clock: prompts stay the same


class ToolFormat(Protocol):
    """A way of writing tools, calls and results; calls are JSON as in `Message.calls`."""

    def describe(self, tools: Sequence[Tool], /) -> str:
        """Return what the system prompt says of the tools."""
        ...

    def call(self, calls: Sequence[str], /) -> str:
        """Return what the assistant says to call tools."""
        ...

    def read(self, text: str, /) -> tuple[str, ...]:
        """Return the calls in what an assistant said, the inverse of `call`; nothing where it calls none."""
        ...

    def result(self, text: str, /) -> str:
        """Return what the model is shown of a tool's answer."""
        ...


def parse_tools(text: str) -> list[Tool]:
    """Read a JSON list of tools, each with a name and parameters, bare or as `{"function": …}`."""
    try:
        found = json.loads(text) if text else []
    except (ValueError, RecursionError) as error:
        raise DataError(f"the tools of a conversation are no JSON: {error}") from error
    tools = [tool.get("function", tool) if isinstance(tool, dict) else tool for tool in _listed(found)]
    for tool in tools:
        if not isinstance(tool, dict) or not isinstance(tool.get("name"), str):
            raise DataError(f"a tool has no name: {tool!r:.120}", hint='{"name": …, "parameters": {…}}')
    return tools


def tool_format(name: str) -> ToolFormat:
    """Return a format by its name."""
    if name not in TOOL_FORMATS:
        raise UsageError(f"no tool format named '{name}'", hint=nearest(name, TOOL_FORMATS))
    return TOOL_FORMATS[name]


def _listed(found: Any) -> list[Any]:
    return found if isinstance(found, list) else [found]


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)


def _parts(call: str) -> tuple[str, str]:
    """Return the name and the arguments of a call, these as JSON."""
    try:
        found = json.loads(call)
        arguments = found["arguments"]
        return str(found["name"]), arguments if isinstance(arguments, str) else _json(arguments)
    except (ValueError, KeyError, TypeError) as error:
        hint = '{"name": …, "arguments": {…}}'
        raise DataError(f"a tool call is not what it should be: {call:.120}", hint=hint) from error


def _call(name: Any, arguments: Any) -> str:
    return _json({"name": name, "arguments": arguments})


def _read_all(texts: Sequence[str], arguments: str = "arguments") -> tuple[str, ...]:
    """Read JSON calls; if one of them is none, nothing was called."""
    calls: list[str] = []
    for text in texts:
        try:
            found = json.loads(text)
            calls += [_call(call["name"], call[arguments]) for call in _listed(found)]
        except (ValueError, KeyError, TypeError):
            return ()
    return tuple(calls)


def _wrapped(tool: Tool) -> Mapping[str, Any]:
    return {"type": "function", "function": tool}


def _one(calls: Sequence[str], whose: str) -> tuple[str, str]:
    if len(calls) != 1:
        raise DataError(f"the tool format of {whose} writes one call at a time, not {len(calls)}")
    return _parts(calls[0])


class DefaultTools:
    """Action and Action Input, a line each, as in ReAct."""

    PATTERN = re.compile(r"Action:\s*([\w.-]+)\s*Action Input:\s*(.+?)(?=\s*Action:|\s*$)", re.DOTALL)

    def describe(self, tools: Sequence[Tool]) -> str:
        """List names, descriptions and arguments, and say how one is called."""
        names = ", ".join(tool["name"] for tool in tools)
        return (
            f"You have access to the following tools:\n{''.join(map(self._tool, tools))}"
            "Use the following format if using a tool:\n```\n"
            f"Action: tool name (one of [{names}])\n"
            "Action Input: the input to the tool, in a JSON format representing the kwargs "
            '(e.g. ```{"input": "hello world", "num_beams": 5}```)\n```\n'
        )

    def _tool(self, tool: Tool) -> str:
        asked = tool.get("parameters", {})
        required = asked.get("required", [])
        lines = [self._argument(n, a, n in required) for n, a in asked.get("properties", {}).items()]
        about = tool.get("description", "")
        return f"> Tool Name: {tool['name']}\nTool Description: {about}\nTool Args:\n{''.join(lines)}\n"

    def _argument(self, name: str, about: Mapping[str, Any], required: bool) -> str:
        kind = about.get("type", "") + (", required" if required else "")
        values = f", should be one of [{', '.join(about['enum'])}]" if about.get("enum") else ""
        items = f", where each item should be {about['items'].get('type', '')}" if about.get("items") else ""
        return f"  - {name} ({kind}): {about.get('description', '')}{values}{items}\n"

    def call(self, calls: Sequence[str]) -> str:
        """Write an action after the other."""
        return "".join("Action: {}\nAction Input: {}\n".format(*_parts(call)) for call in calls)

    def read(self, text: str) -> tuple[str, ...]:
        """Read actions whose input is JSON."""
        try:
            found = self.PATTERN.findall(text)
            return tuple(_call(name, json.loads(given.strip().strip("`"))) for name, given in found)
        except (ValueError, RecursionError):
            return ()

    def result(self, text: str) -> str:
        """Call it an observation."""
        return f"Observation: {text}"


class QwenTools:
    """JSON between <tool_call> tags."""

    PATTERN = re.compile(r"<tool_call>(.+?)</tool_call>", re.DOTALL)

    def describe(self, tools: Sequence[Tool]) -> str:
        """List signatures between <tools> tags."""
        listed = "".join("\n" + _json(_wrapped(tool)) for tool in tools)
        return (
            "\n\n# Tools\n\nYou may call one or more functions to assist with the user query.\n\n"
            f"You are provided with function signatures within <tools></tools> XML tags:\n<tools>{listed}"
            "\n</tools>\n\nFor each function call, return a json object with function name and arguments "
            'within <tool_call></tool_call> XML tags:\n<tool_call>\n{"name": <function-name>, '
            '"arguments": <args-json-object>}\n</tool_call>'
        )

    def call(self, calls: Sequence[str]) -> str:
        """Write each call between its tags."""
        written = ('{{"name": "{}", "arguments": {}}}'.format(*_parts(call)) for call in calls)
        return "\n".join(f"<tool_call>\n{call}\n</tool_call>" for call in written)

    def read(self, text: str) -> tuple[str, ...]:
        """Read what stands between the tags."""
        return _read_all(self.PATTERN.findall(text))

    def result(self, text: str) -> str:
        """Put the answer between tags."""
        return f"<tool_response>\n{text}\n</tool_response>"


class Glm4Tools:
    """The name on a line, the arguments as JSON below."""

    def describe(self, tools: Sequence[Tool]) -> str:
        """Say who the assistant is, in Chinese, and list the tools."""
        listed = "".join(
            f"\n\n## {tool['name']}\n\n{json.dumps(tool, indent=4, ensure_ascii=False)}\n"
            "在调用上述函数时，请使用 Json 格式表示调用的参数。"
            for tool in tools
        )
        return (
            "你是一个名为 ChatGLM 的人工智能助手。你是基于智谱AI训练的语言模型 GLM-4 模型开发的，"
            f"你的任务是针对用户的问题和要求提供适当的答复和支持。# 可用工具{listed}"
        )

    def call(self, calls: Sequence[str]) -> str:
        """Write the one call."""
        return "\n".join(_one(calls, "GLM-4"))

    def read(self, text: str) -> tuple[str, ...]:
        """Read a name and the JSON below it."""
        name, _, given = text.strip().partition("\n")
        try:
            return (_call(name, json.loads(given)),) if name else ()
        except (ValueError, RecursionError):
            return ()

    def result(self, text: str) -> str:
        """Mark the answer as an observation."""
        return f"<|observation|>\n{text}"


class Llama3Tools:
    """A JSON object with a name and parameters."""

    def describe(self, tools: Sequence[Tool]) -> str:
        """List the tools after the dates that Llama 3 expects."""
        listed = "".join(json.dumps(_wrapped(t), indent=4, ensure_ascii=False) + "\n\n" for t in tools)
        return (
            f"Cutting Knowledge Date: December 2023\nToday Date: {LLAMA3_DATE}\n\n"
            "You have access to the following functions. To call a function, please respond with JSON for a "
            'function call. Respond in the format {"name": function name, "parameters": dictionary of '
            f"argument name and its value}}. Do not use variables.\n\n{listed}"
        )

    def call(self, calls: Sequence[str]) -> str:
        """Write the one call."""
        return '{{"name": "{}", "parameters": {}}}'.format(*_one(calls, "Llama 3"))

    def read(self, text: str) -> tuple[str, ...]:
        """Read the object."""
        return _read_all([text.strip()], "parameters")

    def result(self, text: str) -> str:
        """Call it an observation."""
        return f"Observation: {text}"


class MistralTools:
    """A JSON list of calls."""

    def describe(self, tools: Sequence[Tool]) -> str:
        """List the tools between markers."""
        return f"[AVAILABLE_TOOLS] {_json([_wrapped(tool) for tool in tools])}[/AVAILABLE_TOOLS]"

    def call(self, calls: Sequence[str]) -> str:
        """Write the list."""
        return "[" + ", ".join('{{"name": "{}", "arguments": {}}}'.format(*_parts(c)) for c in calls) + "]"

    def read(self, text: str) -> tuple[str, ...]:
        """Read the list, with or without the marker before it."""
        return _read_all([text.strip().removeprefix("[TOOL_CALLS]").strip()])

    def result(self, text: str) -> str:
        """Put the answer between markers."""
        return f'[TOOL_RESULTS] {{"content": {text}}}[/TOOL_RESULTS]'


TOOL_FORMATS: Mapping[str, ToolFormat] = {
    "default": DefaultTools(),
    "qwen": QwenTools(),
    "glm4": Glm4Tools(),
    "llama3": Llama3Tools(),
    "mistral": MistralTools(),
}
