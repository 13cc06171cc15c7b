"""What every template makes of one conversation, written out by hand.

A system message "Be brief.", a question "Hi?", an answer "Yes." and a question "And?", up to where the
answer begins; then the question "Hi?" alone, after what the template says first by itself.
"""

ALPACA = (
    "Below is an instruction that describes a task. "
    "Write a response that appropriately completes the request."
)
USER = (
    "A chat between a curious user and an artificial intelligence assistant. "
    "The assistant gives helpful, detailed, and polite answers to the user's questions."
)
HUMAN = (
    "A chat between a curious human and an artificial intelligence assistant. "
    "The assistant gives helpful, detailed, and polite answers to the human's questions."
)
LLAMA2 = (
    "<<SYS>>\nYou are a helpful, respectful and honest assistant. Always answer as helpfully as possible, "
    "while being safe. Your answers should not include any harmful, unethical, racist, sexist, toxic, "
    "dangerous, or illegal content. Please ensure that your responses are socially unbiased and positive in "
    "nature.\n\nIf a question does not make any sense, or is not factually coherent, explain why instead of "
    "answering something not correct. If you don't know the answer to a question, please don't share false "
    "information.\n<</SYS>>\n\n"
)
CODER = (
    "You are an AI programming assistant, utilizing the Deepseek Coder model, developed by Deepseek Company, "
    "and you only answer questions related to computer science. For politically sensitive questions, "
    "security and privacy issues, and other non-computer science questions, you will refuse to answer\n"
)
ZH = "[INST] <<SYS>>\nYou are a helpful assistant. 你是一个乐于助人的助手。\n<</SYS>>\n\n [/INST]"
QWEN = (
    "<|im_start|>system\nBe brief.<|im_end|>\n\n<|im_start|>user\nHi?<|im_end|>\n<|im_start|>assistant\n"
    "Yes.<|im_end|>\n<|im_start|>user\nAnd?<|im_end|>\n<|im_start|>assistant\n",
    "<|im_start|>system\nYou are a helpful assistant.<|im_end|>\n\n<|im_start|>user\nHi?<|im_end|>\n"
    "<|im_start|>assistant\n",
)

GOLDEN: dict[str, tuple[str, str]] = {
    "none": ("Be brief.Hi? Yes.</s>And?", "Hi?"),
    "base": ("Be brief.</s>Hi?Yes.</s>And?", "Hi?"),
    "vicuna": (
        "Be brief.</s>USER: Hi? ASSISTANT:Yes.</s>USER: And? ASSISTANT:",
        USER + "</s>USER: Hi? ASSISTANT:",
    ),
    "vicuna-2023": (
        "Be brief.</s>USER: Hi? ASSISTANT: Yes.</s>USER: And? ASSISTANT: ",
        USER + "</s>USER: Hi? ASSISTANT: ",
    ),
    "alpaca": (
        "Be brief.\n\n### Instruction:\nHi?\n\n### Response:\nYes.</s>\n\n### Instruction:\nAnd?\n\n"
        "### Response:\n",
        ALPACA + "\n\n### Instruction:\nHi?\n\n### Response:\n",
    ),
    "baichuan": (
        "Be brief.</s><reserved_102>Hi?<reserved_103>Yes.</s><reserved_102>And?<reserved_103>",
        "<reserved_102>Hi?<reserved_103>",
    ),
    "baichuan-chat": (
        "Be brief.</s> <reserved_102> Hi? <reserved_103> Yes.</s> <reserved_102> And? <reserved_103> ",
        " <reserved_102> Hi? <reserved_103> ",
    ),
    "baichuan2": (
        "Be brief.</s><reserved_106>Hi?<reserved_107>Yes.</s><reserved_106>And?<reserved_107>",
        "<reserved_106>Hi?<reserved_107>",
    ),
    "ziya": ("Be brief.\n<human>:Hi?\n<bot>:Yes.</s>\n<human>:And?\n<bot>:", "<human>:Hi?\n<bot>:"),
    "linly": ("Be brief.\nUser: Hi?\nBot: Yes.</s>\nUser: And?\nBot: ", "User: Hi?\nBot: "),
    "chatglm": ("Be brief.\n问：Hi?\n答：Yes.</s>\n问：And?\n答：", "问：Hi?\n答："),
    "chatglm2": ("Be brief.\n\n问：Hi?\n\n答：Yes.</s>\n\n问：And?\n\n答：", "问：Hi?\n\n答："),
    "chatglm3": (
        "Be brief.\n<|user|>\nHi?<|assistant|>Yes.</s>\n<|user|>\nAnd?<|assistant|>",
        "<|user|>\nHi?<|assistant|>",
    ),
    "phoenix": (
        "Be brief.</s>Human: <s>Hi?</s>Assistant: Yes.</s>Human: <s>And?</s>Assistant: ",
        HUMAN + "\n\n</s>Human: <s>Hi?</s>Assistant: ",
    ),
    "belle": (
        "Be brief.\n\nHuman: Hi?\n\nBelle: Yes.</s>\n\nHuman: And?\n\nBelle: ",
        "Human: Hi?\n\nBelle: ",
    ),
    "aquila": (
        "Be brief.###Human: Hi?###Assistant:Yes.</s>###Human: And?###Assistant:",
        HUMAN + "###Human: Hi?###Assistant:",
    ),
    "aquila-2023": (
        "Be brief.###Human: Hi?###Assistant: Yes.</s>###Human: And?###Assistant: ",
        HUMAN + "###Human: Hi?###Assistant: ",
    ),
    "intern": (
        "Be brief.<eoa>\n<|User|>:Hi?<eoh>\n<|Bot|>:Yes.<eoa>\n<|User|>:And?<eoh>\n<|Bot|>:",
        "<|User|>:Hi?<eoh>\n<|Bot|>:",
    ),
    "intern2": (
        "<|im_start|>system\nBe brief.\n<|im_end|>\n<|im_end|>\n<|im_start|>user\nHi?<|im_end|>\n"
        "<|im_start|>assistant\nYes.<|im_end|>\n<|im_start|>user\nAnd?<|im_end|>\n<|im_start|>assistant\n",
        "<|im_start|>system\nYou are an AI assistant whose name is InternLM (书生·浦语).\n<|im_end|>\n"
        "<|im_end|>\n<|im_start|>user\nHi?<|im_end|>\n<|im_start|>assistant\n",
    ),
    "starchat": (
        "Be brief.<|end|>\n<|user|>\nHi?<|end|>\n<|assistant|>\nYes.<|end|>\n<|user|>\nAnd?<|end|>\n"
        "<|assistant|>\n",
        "<system>\n<|end|>\n<|user|>\nHi?<|end|>\n<|assistant|>\n",
    ),
    "llama2": (
        "<<SYS>>\nBe brief.\n<</SYS>>\n\n</s>[INST] Hi? [/INST]Yes.</s>[INST] And? [/INST]",
        LLAMA2 + "</s>[INST] Hi? [/INST]",
    ),
    "llama2-2023": (
        "<<SYS>>\nBe brief.\n<</SYS>>\n\n</s>[INST] Hi? [/INST] Yes.</s>[INST] And? [/INST] ",
        LLAMA2 + "</s>[INST] Hi? [/INST] ",
    ),
    "llama2-zh": (
        "[INST] <<SYS>>\nBe brief.\n<</SYS>>\n\n [/INST]</s>[INST] Hi? [/INST]Yes.</s>[INST] And? [/INST]",
        ZH + "</s>[INST] Hi? [/INST]",
    ),
    "llama2-zh-2023": (
        "[INST] <<SYS>>\nBe brief.\n<</SYS>>\n\n [/INST]</s>[INST] Hi? [/INST] Yes.</s>[INST] And? [/INST] ",
        ZH + "</s>[INST] Hi? [/INST] ",
    ),
    "llama3": (
        "<|start_header_id|>system<|end_header_id|>\n\nBe brief.<|eot_id|>"
        "<|start_header_id|>user<|end_header_id|>\n\nHi?<|eot_id|>"
        "<|start_header_id|>assistant<|end_header_id|>\n\nYes.<|eot_id|>"
        "<|start_header_id|>user<|end_header_id|>\n\nAnd?<|eot_id|>"
        "<|start_header_id|>assistant<|end_header_id|>\n\n",
        "<|start_header_id|>system<|end_header_id|>\n\nYou are a helpful, excellent and smart assistant."
        "<|eot_id|><|start_header_id|>user<|end_header_id|>\n\nHi?<|eot_id|>"
        "<|start_header_id|>assistant<|end_header_id|>\n\n",
    ),
    "mistral": ("Be brief.</s>[INST] Hi? [/INST]Yes.</s>[INST] And? [/INST]", "[INST] Hi? [/INST]"),
    "xverse": (
        "Be brief.</s>Human: Hi?\n\nAssistant: Yes.</s>Human: And?\n\nAssistant: ",
        "Human: Hi?\n\nAssistant: ",
    ),
    "chatml": (
        "Be brief.<|im_end|>\n<|im_start|>user\nHi?<|im_end|>\n<|im_start|>assistant\nYes.<|im_end|>\n"
        "<|im_start|>user\nAnd?<|im_end|>\n<|im_start|>assistant\n",
        "You are a helpful assistant.<|im_end|>\n<|im_start|>user\nHi?<|im_end|>\n<|im_start|>assistant\n",
    ),
    "deepseek": (
        "Be brief.</s>User: Hi?\n\nAssistant:Yes.</s>User: And?\n\nAssistant:",
        "User: Hi?\n\nAssistant:",
    ),
    "deepseek3": (
        "Be brief.</s><｜User｜>Hi?<｜Assistant｜>Yes.</s><｜User｜>And?<｜Assistant｜>",
        "<｜User｜>Hi?<｜Assistant｜>",
    ),
    "deepseekcoder": (
        "Be brief.\n### Instruction:\nHi?\n### Response:\nYes.<|EOT|>\n### Instruction:\nAnd?\n"
        "### Response:\n",
        CODER + "\n### Instruction:\nHi?\n### Response:\n",
    ),
    "yi": (
        "Be brief.\n<|im_start|>user\nHi?<|im_end|>\n<|im_start|>assistant\nYes.<|im_end|>\n"
        "<|im_start|>user\nAnd?<|im_end|>\n<|im_start|>assistant\n",
        "<|im_start|>user\nHi?<|im_end|>\n<|im_start|>assistant\n",
    ),
    "orion": (
        "Be brief.</s>Human: Hi?\n\nAssistant: </s>Yes.</s>Human: And?\n\nAssistant: </s>",
        "Human: Hi?\n\nAssistant: </s>",
    ),
    "cohere": (
        "Be brief.</s><|START_OF_TURN_TOKEN|><|USER_TOKEN|>Hi?<|END_OF_TURN_TOKEN|>"
        "<|START_OF_TURN_TOKEN|><|CHATBOT_TOKEN|>Yes.</s><|START_OF_TURN_TOKEN|><|USER_TOKEN|>And?"
        "<|END_OF_TURN_TOKEN|><|START_OF_TURN_TOKEN|><|CHATBOT_TOKEN|>",
        "<BOS_TOKEN></s><|START_OF_TURN_TOKEN|><|USER_TOKEN|>Hi?<|END_OF_TURN_TOKEN|>"
        "<|START_OF_TURN_TOKEN|><|CHATBOT_TOKEN|>",
    ),
    "qwen": QWEN,
    "qwen3": QWEN,
    "qwen3_nothink": QWEN,
    "qwen3_5": QWEN,
    "qwen3_5_nothink": QWEN,
}
