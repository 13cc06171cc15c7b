"""Prompt templates as they were published, by name.

Those of 2023 that lost a space later are here twice: a model answers best with the one that it learned.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from .templates import EOS, PromptTemplate

_CURIOUS = (
    "A chat between a curious {} and an artificial intelligence assistant. "
    "The assistant gives helpful, detailed, and polite answers to the {}'s questions."
)
_LLAMA2 = (
    "You are a helpful, respectful and honest assistant. "
    "Always answer as helpfully as possible, while being safe. "
    "Your answers should not include any harmful, unethical, racist, sexist, toxic, dangerous, or illegal "
    "content. Please ensure that your responses are socially unbiased and positive in nature.\n\n"
    "If a question does not make any sense, or is not factually coherent, explain why instead of answering "
    "something not correct. If you don't know the answer to a question, please don't share false information."
)
_DEEPSEEK_CODER = (
    "You are an AI programming assistant, utilizing the Deepseek Coder model, developed by Deepseek Company, "
    "and you only answer questions related to computer science. For politically sensitive questions, "
    "security and privacy issues, and other non-computer science questions, you will refuse to answer\n"
)
_LLAMA2_ZH = "You are a helpful assistant. 你是一个乐于助人的助手。"
_SYS = "<<SYS>>\n{system}\n<</SYS>>\n\n"
_CHATML = "<|im_start|>user\n{query}<|im_end|>\n<|im_start|>assistant\n"
_THINK = ("<think>", "</think>")


def _templates() -> Iterator[PromptTemplate]:
    user, human = _CURIOUS.format("user", "user"), _CURIOUS.format("human", "human")
    yield PromptTemplate("base", "{query}", EOS)
    yield PromptTemplate("vicuna", "USER: {query} ASSISTANT:", EOS, user)
    yield PromptTemplate("vicuna-2023", "USER: {query} ASSISTANT: ", EOS, user)
    yield PromptTemplate(
        "alpaca",
        "### Instruction:\n{query}\n\n### Response:\n",
        "\n\n",
        "Below is an instruction that describes a task. "
        "Write a response that appropriately completes the request.",
    )
    yield PromptTemplate("baichuan", "<reserved_102>{query}<reserved_103>", EOS)
    yield PromptTemplate("baichuan-chat", " <reserved_102> {query} <reserved_103> ", EOS)
    yield PromptTemplate("baichuan2", "<reserved_106>{query}<reserved_107>", EOS)
    yield PromptTemplate("ziya", "<human>:{query}\n<bot>:", "\n")
    yield PromptTemplate("linly", "User: {query}\nBot: ", "\n")
    yield PromptTemplate("chatglm", "问：{query}\n答：", "\n")
    yield PromptTemplate("chatglm2", "问：{query}\n\n答：", "\n\n")
    # The stop string is the next user's; an answer ends with the end of text.
    yield PromptTemplate(
        "chatglm3", "<|user|>\n{query}<|assistant|>", "\n", stop="<|user|>", end=EOS, tools="glm4"
    )
    yield PromptTemplate("phoenix", "Human: <s>{query}</s>Assistant: ", EOS, human + "\n\n")
    yield PromptTemplate("belle", "Human: {query}\n\nBelle: ", "\n\n")
    yield PromptTemplate("aquila", "Human: {query}###Assistant:", "###", human)
    yield PromptTemplate("aquila-2023", "Human: {query}###Assistant: ", "###", human)
    yield PromptTemplate("intern", "<|User|>:{query}<eoh>\n<|Bot|>:", "<eoa>\n", stop="<eoa>")
    yield PromptTemplate(
        "intern2",
        _CHATML,
        "<|im_end|>\n",
        "You are an AI assistant whose name is InternLM (书生·浦语).",
        "<|im_start|>system\n{system}\n<|im_end|>\n",
        stop="<|im_end|>",
    )
    yield PromptTemplate(
        "starchat",
        "<|user|>\n{query}<|end|>\n<|assistant|>\n",
        "<|end|>\n",
        "<system>\n",
        stop="<|end|>",
    )
    yield PromptTemplate("llama2", "[INST] {query} [/INST]", EOS, _LLAMA2, _SYS)
    yield PromptTemplate("llama2-2023", "[INST] {query} [/INST] ", EOS, _LLAMA2, _SYS)
    zh = "[INST] " + _SYS + " [/INST]"
    yield PromptTemplate("llama2-zh", "[INST] {query} [/INST]", EOS, _LLAMA2_ZH, zh)
    yield PromptTemplate("llama2-zh-2023", "[INST] {query} [/INST] ", EOS, _LLAMA2_ZH, zh)
    yield PromptTemplate(
        "llama3",
        "<|start_header_id|>user<|end_header_id|>\n\n{query}<|eot_id|>"
        "<|start_header_id|>assistant<|end_header_id|>\n\n",
        "<|eot_id|>",
        "You are a helpful, excellent and smart assistant.",
        "<|start_header_id|>system<|end_header_id|>\n\n{system}",
        stop="<|eot_id|>",
        tools="llama3",
    )
    yield PromptTemplate("mistral", "[INST] {query} [/INST]", EOS, tools="mistral")
    yield PromptTemplate("xverse", "Human: {query}\n\nAssistant: ", EOS)
    yield PromptTemplate("chatml", _CHATML, "<|im_end|>\n", "You are a helpful assistant.", stop="<|im_end|>")
    yield PromptTemplate("deepseek", "User: {query}\n\nAssistant:", EOS)
    yield PromptTemplate("deepseek3", "<｜User｜>{query}<｜Assistant｜>", EOS)
    # As published it never shows the question: its braces are doubled.
    yield PromptTemplate(
        "deepseekcoder",
        "### Instruction:\n{query}\n### Response:\n",
        "\n",
        _DEEPSEEK_CODER,
        stop="<|EOT|>",
    )
    yield PromptTemplate("yi", _CHATML, "\n", stop="<|im_end|>")
    yield PromptTemplate("orion", "Human: {query}\n\nAssistant: </s>", EOS)
    yield PromptTemplate(
        "cohere",
        "<|START_OF_TURN_TOKEN|><|USER_TOKEN|>{query}<|END_OF_TURN_TOKEN|>"
        "<|START_OF_TURN_TOKEN|><|CHATBOT_TOKEN|>",
        EOS,
        "<BOS_TOKEN>",
    )
    for name in ("qwen", "qwen3", "qwen3_nothink", "qwen3_5", "qwen3_5_nothink"):
        yield PromptTemplate(
            name,
            _CHATML,
            "\n",
            "You are a helpful assistant.",
            "<|im_start|>system\n{system}<|im_end|>\n",
            stop="<|im_end|>",
            tools="qwen",
            reasoning=_THINK if name in ("qwen3", "qwen3_5") else None,
        )


PUBLISHED: Mapping[str, PromptTemplate] = {template.name: template for template in _templates()}
HISTORIC: Mapping[str, str] = {
    "vicuna": "vicuna-2023",
    "alpaca": "alpaca",
    "baichuan-chat": "baichuan-chat",
    "ziya": "ziya",
    "linly": "linly",
    "chatglm": "chatglm",
    "chatglm2": "chatglm2",
    "phoenix": "phoenix",
    "belle": "belle",
    "aquila": "aquila-2023",
    "intern": "intern",
    "starchat": "starchat",
    "llama2": "llama2-2023",
    "llama2-zh": "llama2-zh-2023",
    "xverse": "xverse",
    "chatml": "chatml",
}  # what a template of September 2023 is called here
