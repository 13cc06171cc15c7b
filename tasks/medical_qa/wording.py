"""In what words the facts of the sample are stated and asked, in English and Chinese."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Wording:
    """How one relation is stated and asked in a language; `{s}` is what is known, `{a}` the answer."""

    statements: tuple[str, ...]
    questions: tuple[str, ...]


WORDINGS = {
    ("pathogen", "en"): Wording(
        (
            "The pathogen of {s} is a {a}.",
            "{s} is an infection by a {a}.",
            "A {a} causes {s}.",
            "Someone with {s} is infected by a {a}.",
            "What causes {s} is a {a}.",
        ),
        (
            "What kind of pathogen causes {s}?",
            "By what kind of pathogen is someone with {s} infected?",
            "To what kind belongs the pathogen of {s}?",
        ),
    ),
    ("pathogen", "zh"): Wording(
        (
            "{s}的病原体是{a}。",
            "{s}由{a}引起。",
            "引起{s}的是{a}。",
            "{a}感染可致{s}。",
            "{s}属于{a}感染。",
        ),
        ("{s}的病原体是哪一类？", "{s}由哪类病原体引起？", "引起{s}的是哪类病原体？"),
    ),
    ("route", "en"): Wording(
        (
            "{s} spreads through {a}.",
            "People catch {s} through {a}.",
            "The usual route of {s} is {a}.",
            "It is {a} that pass on {s}.",
            "{s} is passed on through {a}.",
        ),
        (
            "How does {s} usually spread?",
            "Through what do people catch {s}?",
            "What is the usual route of {s}?",
        ),
    ),
    ("route", "zh"): Wording(
        (
            "{s}主要经{a}传播。",
            "{s}的传播途径是{a}。",
            "人们因{a}而得{s}。",
            "{a}可传播{s}。",
            "{s}通过{a}传给他人。",
        ),
        ("{s}主要经什么传播？", "{s}的传播途径是什么？", "{s}通过什么传给他人？"),
    ),
    ("drug", "en"): Wording(
        (
            "{s} is a {a}.",
            "{s} belongs to the class {a}.",
            "The class of {s} is {a}.",
            "Among drugs, {s} counts as a {a}.",
            "One {a} is {s}.",
        ),
        (
            "To which class of drugs belongs {s}?",
            "What is the class of {s}?",
            "As what kind of drug does {s} count?",
        ),
    ),
    ("drug", "zh"): Wording(
        (
            "{s}是{a}。",
            "{s}属于{a}。",
            "{s}的类别是{a}。",
            "{a}包括{s}。",
            "按作用分，{s}为{a}。",
        ),
        ("{s}属于哪类药？", "{s}的类别是什么？", "{s}是哪一类药物？"),
    ),
    ("department", "en"): Wording(
        (
            "{s} is treated in {a}.",
            "The department for {s} is {a}.",
            "With {s} one goes to {a}.",
            "{a} looks after people with {s}.",
            "{s} is a matter for {a}.",
        ),
        (
            "Which department treats {s}?",
            "To which department does one go with {s}?",
            "For which department is {s} a matter?",
        ),
    ),
    ("department", "zh"): Wording(
        (
            "{s}应看{a}。",
            "{s}在{a}治疗。",
            "治疗{s}的科室是{a}。",
            "{a}诊治{s}。",
            "患{s}者应去{a}。",
        ),
        ("{s}应看哪个科？", "{s}在哪个科室治疗？", "患{s}者应去哪里？"),
    ),
    ("nerve", "en"): Wording(
        (
            "The {s} is the {a} cranial nerve.",
            "Counted from the front, the {s} is the {a}.",
            "The {a} cranial nerve is the {s}.",
            "Among cranial nerves the {s} is the {a}.",
            "The number of the {s} is the {a}.",
        ),
        (
            "Which cranial nerve by number is the {s}?",
            "What is the number of the {s}?",
            "Among cranial nerves, which is the {s}?",
        ),
    ),
    ("nerve", "zh"): Wording(
        (
            "{s}是{a}脑神经。",
            "{a}脑神经是{s}。",
            "按顺序，{s}是{a}。",
            "{s}的序号是{a}。",
            "在脑神经中，{s}为{a}。",
        ),
        ("{s}是第几对脑神经？", "{s}的序号是什么？", "按顺序，{s}是哪一对？"),
    ),
    ("sign", "en"): Wording(
        (
            "{s} point to {a}.",
            "{s} are typical of {a}.",
            "In {a} one finds {s}.",
            "Doctors who find {s} think of {a}.",
            "{s} are a sign of {a}.",
        ),
        ("To what do {s} point?", "Of what are {s} typical?", "Of what do doctors think who find {s}?"),
    ),
    ("sign", "zh"): Wording(
        (
            "{s}提示{a}。",
            "{s}见于{a}。",
            "{s}是{a}的表现。",
            "{a}可见{s}。",
            "发现{s}应考虑{a}。",
        ),
        ("{s}提示什么病？", "{s}见于什么病？", "发现{s}应考虑什么？"),
    ),
    ("hormone", "en"): Wording(
        (
            "{s} is made by the {a}.",
            "The source of {s} is the {a}.",
            "The {a} releases {s}.",
            "{s} comes from the {a}.",
            "What makes {s} is the {a}.",
        ),
        ("What makes {s}?", "What is the source of {s}?", "Where does {s} come from?"),
    ),
    ("hormone", "zh"): Wording(
        (
            "{s}由{a}产生。",
            "{s}来自{a}。",
            "{a}产生{s}。",
            "{s}的来源是{a}。",
            "产生{s}的是{a}。",
        ),
        ("{s}由什么产生？", "{s}来自哪里？", "{s}的来源是什么？"),
    ),
    ("lack", "en"): Wording(
        (
            "A lack of {s} leads to {a}.",
            "Those who lack {s} get {a}.",
            "{a} comes from a lack of {s}.",
            "Without {s} there is {a}.",
            "The consequence of too little {s} is {a}.",
        ),
        (
            "To what does a lack of {s} lead?",
            "What do those get who lack {s}?",
            "What is the consequence of too little {s}?",
        ),
    ),
    ("lack", "zh"): Wording(
        (
            "缺乏{s}导致{a}。",
            "缺{s}会得{a}。",
            "{a}因缺乏{s}所致。",
            "{s}不足的后果是{a}。",
            "没有{s}就会有{a}。",
        ),
        ("缺乏{s}导致什么？", "缺{s}会得什么病？", "{s}不足的后果是什么？"),
    ),
    ("antidote", "en"): Wording(
        (
            "The antidote to {s} is {a}.",
            "Poisoning by {s} is treated with {a}.",
            "{a} works against {s}.",
            "After too much {s} one gives {a}.",
            "What helps against {s} is {a}.",
        ),
        (
            "What is the antidote to {s}?",
            "With what is poisoning by {s} treated?",
            "What helps against {s}?",
        ),
    ),
    ("antidote", "zh"): Wording(
        (
            "{s}中毒的解毒剂是{a}。",
            "{s}中毒用{a}治疗。",
            "{a}可解{s}之毒。",
            "{s}过量应给{a}。",
            "对抗{s}的是{a}。",
        ),
        ("{s}中毒的解毒剂是什么？", "{s}中毒用什么治疗？", "{s}过量应给什么？"),
    ),
}
