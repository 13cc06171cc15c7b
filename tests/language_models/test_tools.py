"""Tools are described, called and read back in the formats that models learn."""

from __future__ import annotations

import json

import pytest

from harness import DataError, Message, UsageError
from harness.language_models import template_for, text_of
from harness.language_models.tools import TOOL_FORMATS, parse_tools, tool_format

WEATHER = {
    "name": "weather",
    "description": "The weather of a day.",
    "parameters": {
        "type": "object",
        "properties": {
            "city": {"type": "string", "description": "where"},
            "unit": {"type": "string", "description": "in what", "enum": ["C", "F"]},
            "days": {"type": "array", "description": "which", "items": {"type": "integer"}},
        },
        "required": ["city"],
    },
}
CALL = '{"name": "weather", "arguments": {"city": "Köln"}}'
DESCRIBED = {
    "default": (
        "You have access to the following tools:\n> Tool Name: weather\n"
        "Tool Description: The weather of a day.\nTool Args:\n  - city (string, required): where\n"
        "  - unit (string): in what, should be one of [C, F]\n"
        "  - days (array): which, where each item should be integer\n\n"
        "Use the following format if using a tool:\n```\nAction: tool name (one of [weather])\n"
        "Action Input: the input to the tool, in a JSON format representing the kwargs "
        '(e.g. ```{"input": "hello world", "num_beams": 5}```)\n```\n'
    ),
    "qwen": (
        "\n\n# Tools\n\nYou may call one or more functions to assist with the user query.\n\n"
        "You are provided with function signatures within <tools></tools> XML tags:\n<tools>\n"
        '{"type": "function", "function": ' + json.dumps(WEATHER) + "}\n</tools>\n\n"
        "For each function call, return a json object with function name and arguments within "
        '<tool_call></tool_call> XML tags:\n<tool_call>\n{"name": <function-name>, '
        '"arguments": <args-json-object>}\n</tool_call>'
    ),
    "glm4": (
        "你是一个名为 ChatGLM 的人工智能助手。你是基于智谱AI训练的语言模型 GLM-4 模型开发的，"
        "你的任务是针对用户的问题和要求提供适当的答复和支持。# 可用工具\n\n## weather\n\n"
        + json.dumps(WEATHER, indent=4)
        + "\n在调用上述函数时，请使用 Json 格式表示调用的参数。"
    ),
    "llama3": (
        "Cutting Knowledge Date: December 2023\nToday Date: 26 Jul 2024\n\n"
        "You have access to the following functions. To call a function, please respond with JSON for a "
        'function call. Respond in the format {"name": function name, "parameters": dictionary of argument '
        "name and its value}. Do not use variables.\n\n"
        + json.dumps({"type": "function", "function": WEATHER}, indent=4)
        + "\n\n"
    ),
    "mistral": (
        '[AVAILABLE_TOOLS] [{"type": "function", "function": ' + json.dumps(WEATHER) + "}][/AVAILABLE_TOOLS]"
    ),
}
CALLED = {
    "default": 'Action: weather\nAction Input: {"city": "Köln"}\n',
    "qwen": '<tool_call>\n{"name": "weather", "arguments": {"city": "Köln"}}\n</tool_call>',
    "glm4": 'weather\n{"city": "Köln"}',
    "llama3": '{"name": "weather", "parameters": {"city": "Köln"}}',
    "mistral": '[{"name": "weather", "arguments": {"city": "Köln"}}]',
}


@pytest.mark.parametrize("name", TOOL_FORMATS)
def test_a_format_describes_tools_as_published(name):
    assert tool_format(name).describe([WEATHER]) == DESCRIBED[name]


@pytest.mark.parametrize("name", TOOL_FORMATS)
def test_a_call_is_written_as_published_and_read_back(name):
    written = tool_format(name)
    assert written.call([CALL]) == CALLED[name]
    assert written.read(CALLED[name]) == (CALL,)
    assert written.read("It rains, I think.") == ()
    assert written.read('{"broken') == ()


@pytest.mark.parametrize("name", ["default", "qwen", "mistral"])
def test_several_calls_are_read_back(name):
    other = '{"name": "clock", "arguments": {}}'
    written = tool_format(name)
    assert written.read(written.call([CALL, other])) == (CALL, other)


@pytest.mark.parametrize("name", ["glm4", "llama3"])
def test_formats_of_one_call_refuse_two(name):
    with pytest.raises(DataError, match="one call at a time"):
        tool_format(name).call([CALL, CALL])


def test_tools_may_be_wrapped_and_bad_ones_are_refused():
    assert parse_tools(json.dumps([{"type": "function", "function": WEATHER}])) == [WEATHER]
    assert parse_tools("") == []
    for bad in ("{", '[{"parameters": {}}]', "[1]"):
        with pytest.raises(DataError):
            parse_tools(bad)
    with pytest.raises(UsageError, match="no tool format named 'qwenn'"):
        tool_format("qwenn")


def test_a_conversation_with_a_tool_is_laid_out_whole(chat_tokenizer):
    template = template_for("qwen", chat_tokenizer())
    messages = [
        Message("user", "Rain?"),
        Message("assistant", "", calls=(CALL,)),
        Message("tool", "yes", name="weather"),
        Message("assistant", "It rains."),
    ]
    assert text_of(template, messages, json.dumps([WEATHER])) == (
        "<|im_start|>system\nYou are a helpful assistant." + DESCRIBED["qwen"] + "<|im_end|>\n\n"
        "<|im_start|>user\nRain?<|im_end|>\n<|im_start|>assistant\n" + CALLED["qwen"] + "<|im_end|>\n"
        "<|im_start|>user\n<tool_response>\nyes\n</tool_response><|im_end|>\n<|im_start|>assistant\n"
        "It rains.<|im_end|>"
    )
    learned = [part.text for part in template.parts(messages) if part.learned]
    assert learned == [CALLED["qwen"] + "<|im_end|>", "It rains.<|im_end|>"]
