"""The words in which answers are given, in English and Chinese; `letters` says in what order they count.

A name in capitals is a pattern. Texts are plain (`plain.py`), with one form of each letter and sign.
"""

from __future__ import annotations

import re
from typing import NamedTuple

NEAR = 60  # characters before a letter in which a word may deny or name it

_ONE = r"[(\[\"'“‘]{0,3}([A-Z])[)\]\"'”’]{0,3}(?![A-Za-z0-9'’-])"
_JOIN = (
    r"(?:\s*[,;/&+、·]\s*(?:(?:and|or)\s+|以?及|和|与|或)?|\s+(?:and|or|&)\s+|\s*(?:以?及|和|与|或|并)\s*)"
)
_WORD = r"(?:(?:option|choice|answer|选项)s?\s*)?"
_RUN = r"[(\[\"']{0,3}[A-Z]{2,10}[)\]\"']{0,3}(?![A-Za-z0-9'’-])"
_NOTHING_BEFORE = r"(?<![A-Za-z0-9'’°_-])"

LETTER = re.compile(_NOTHING_BEFORE + _ONE)
ONLY_LETTERS = re.compile(rf"{_ONE}(?:(?:{_JOIN}|\s+|(?<=\))){_ONE})*")
_SIGNS = r"[\s.。,;:!?()\[\]<>{}\"'“”‘’「」《》【】\\/•-]"
AROUND_LETTERS = re.compile(
    rf"^{_SIGNS}*(?:(?:either|both|only|just|all(?:\s+of)?(?:\s+(?:the above|two|three|four|five))?|"
    rf"(?:two|three|four) of (?:them|these|the options))(?=[\s:]))?{_SIGNS}*|(?:\s+only)?{_SIGNS}*$",
    re.I,
)
LETTER_LIST = re.compile(rf"{_ONE}(?:{_JOIN}{_WORD}{_ONE})*|{_RUN}")
LIST_APART = re.compile(_NOTHING_BEFORE + LETTER_LIST.pattern)
LINK = re.compile(r"\b(?:and|or|options?|choices?|answers?)\b", re.IGNORECASE)
SMALL_LETTER = re.compile(r"[\"']?([a-j])[\"']?(?=\)|\.?\s*(?:\n|$))")
# A small letter that is called a choice: "option c"; an "a" may be a word there.
SMALL_CALLED = re.compile(
    r"(\b(?:option|choice)\s+|选项\s*)([(\[\"']?)([b-h]|a(?!\s+(?!is\b|and\b|or\b)\w))(?![\w'’-])", re.I
)
PART_OF_WORD = re.compile(r"[A-Za-z0-9'’°_-]")
CHINESE = re.compile("[\u4e00-\u9fff]")

# What may stand between a phrase that announces the answer and its letter.
FILLER = re.compile(
    r"(?:(?:most|likely|probably|therefore|thus|hence|clearly|simply|definitely|indeed|actually|just|only|"
    r"best|correct|right|final|the|answers?|options?|choices?|letters?|either|both|is|are|be|to|that|would|"
    r"should|选项|选择|选|为|是|应该?|就是|即)(?![A-Za-z])|[\s:=\"'“‘(\[-]){0,20}",
    re.IGNORECASE,
)
_IS = r"(?:\b(?:is|are|was|be|includes?)\b|'s\b|[:=]|-+>|=>|→|⇒|[–—]|\s-\s)(?!\s*(?:not\b|never\b|n't))"


class Cue(NamedTuple):
    """Words before an answer; after those that are `weak`, only what looks like a choice counts."""

    words: re.Pattern[str]
    weak: bool


def _cues(*patterns: str, weak: bool = False) -> list[Cue]:
    return [Cue(re.compile(pattern, re.IGNORECASE | re.MULTILINE), weak) for pattern in patterns]


_CALLED_ANSWER = _cues(
    rf"\b(?:answers?|ans)\b[^.\n:!?。]{{0,80}}?(?:{_IS}|\n|(?=\())",
    rf"\bans(?:wer)?\b\.?[ \t]+(?={_ONE}\s*(?:[.)\n]|$))",
    r"(?:答案|正解)(?:[^。\n:!?;,解不非无错]{0,12}?)(?:是|为|选|包括|包含|[:=→】\]]|-+>|—+|(?=[(A-Z]))(?!否|何)",
    r"^答\s*:",
    rf"^A\s*:\s*(?={_ONE}\s*(?:[.)\n]|$))",
)
_CORRECTED = _cues(
    r"(?:(?:\b(?:(?:no\W{1,3})?(?:wait|scratch that|make that|rather|i mean|actually)|correction|"
    r"on (?:second thoughts?|reflection))\b|(?<=[.?!…]\s)no(?=[,;:]))[\s,.:;!–—-]*)+",
    r"(?:\bnot|n't)\b[^.\n]{1,40}?\bbut(?:\s+rather)?\b",
    r"(?:不对|错了|(?<![\u4e00-\u9fff])不)[,。;!]\s*(?:应该?|答案|正确|改|是|为|选)+",
    r"(?:更正|改)(?:为|成|选|是|:)+",
    weak=True,
)
_CHOSEN = _cues(
    r"(?<![不勿误备可能])(?<!不[应能该可会宜])选(?!项(?!的?[是为:])|手|用|取)(?:择|出|了|的是|项的?是|项为|项|:)*",
    r"(?<!not )(?<!n't )\b(?:choos(?:e|ing)|chose|pick(?:ed)?|select(?:ed|ing)?|go(?:ing)? (?:with|for)|"
    r"opt(?:ed|ing)? for|settle on|vote for)\b",
)
_BEST_IS = _cues(
    rf"\b(?:correct|right|best|most \w+|appropriate|final|chosen|selected)\b[^.\n:!?]{{0,60}}?{_IS}",
    r"(?:(?<!不)正确|最佳|最优|合适|恰当|最?可能|符合|准确|首选)的?[^。\n:!?;,不]{0,10}?(?:是|为|有|包括|包含|:)",
)
_IT_FOLLOWS = _cues(
    r"\b(?:therefore|thus|hence|so|conclusion|conclude)\b[\s,:]*(?:that\s+)?(?:it(?:'s| (?:is|must be)))?",
    r"(?:因此|所以|综上(?:所述)?|可见|(?<!缘)故|我认为|我觉得|应该|应当?)[\s,:]*",
    r"\b(?:it(?: is|'s| must be| would be)|that(?: is|'s| leaves)|points? to|corresponds? to)\b",
    r"\b(?:leav(?:es|ing)|left with)\b(?:\s+(?:us|me|only|just|with))*",
    r"\bremaining (?:option|choice|answer|one)\b[\s,:]*(?:is\b)?",
    r"[只仅]剩[下余]?",
    r"\b(?:would|'d|will|'ll|must|to) say\b",
    weak=True,
)
STATED = ([*_CALLED_ANSWER, *_CORRECTED], _CHOSEN, _BEST_IS, _IT_FOLLOWS)  # the most explicit kind first
ENDS_LIKE_A_CHOICE = re.compile(r"\s*(?:[.):,;、。!]|$|\n|选?项|[\u4e00-\u9fff])")

CALLED_RIGHT = re.compile(
    r"\s*(?:[.:)]\s*[^.\n]{1,120}?\s|,[^.\n]{1,80}?,\s*|\([^()\n]{1,120}\)\s*)?"
    r"(?:(?:is|are|was|would be|seems?|appears?|must be|remains?|looks)\s+(?:to be\s+)?"
    r"(?:(?:the|most|likely|probably|indeed|both|all|also|single|one|only|thus|therefore|my|clearly)\s+)*"
    r"(?:correct|right|best|true|accurate|appropriate|answers?|suitable|likely)\b(?!\s+(?:in|only|if|for|when)\b)"
    r"|it is(?=[.!\s]|$)|(?:fits|suits|matches|works|applies)\s+best)"
    r"|\s*[.:)、,]?\s*(?:(?:correct|true)\s*(?:[-–—.,:;]|$)|[✅✓✔√☑])"
    r"|(?:选项|[两二三四五六]?[项者个]?(?:选?项)?)?\s*(?:[,:.、(][^。\n;不错]{0,40}?)?(?:是|为|才是|最|均|都|描述|说法|的|符合)*"
    r"\s*(?:正确|对(?![应于称比照])|最佳|合适|恰当|(?<=符合)题意|准确|(?:最佳|最优|正确)?答案|(?:我的)?选择)",
    re.IGNORECASE,
)
CALLED_WRONG = re.compile(
    r"\s*(?:选?项)?\s*(?:(?:is|are|was|can be|seems|would be)\s+(?:the\s+|all\s+|both\s+)*"
    r"(?:in|not\b|un|wrong|false|ruled|excluded|eliminated|less)|isn't|aren't|[也亦]?不|错|有误|均不|都不|都错|均错|排除|"
    r"[.:)]?\s*(?:[❌✗✘×☒]|(?:incorrect|wrong|false)\b))",
    re.IGNORECASE,
)
LABELLED_WRONG = re.compile(
    r"\s*[.:)]?[^.\n]{0,120}?\b(?:is|are)\s+(?:incorrect|wrong|false|not correct)\b", re.IGNORECASE
)
DENIED = re.compile(
    r"(?:\b(?:not|never|neither|none|nor|cannot|without|except|instead of|rather than|unlike|isn't|aren't|"
    r"than|exclude[sd]?|excluding|eliminat\w+|rul\w+ out)\b|n't\b|不是|并非|不选|排除|除了?|非)"
    r"(?:(?!\bbut\b)[^.,;。\n]){0,24}$",
    re.IGNORECASE,
)
SUPPOSED = re.compile(
    r"\b(?:if(?! (?:forced|pressed|pushed|i (?:had|have|must)\b))|unless|had(?! to\b)|were|wouldn't|"
    r"would not|suppose)\b|(?:如果|假如|假设|倘若|若)(?!必须|一定|非要|要选)",
    re.IGNORECASE,
)
CONCLUDES = re.compile(r"[,;]\s*(?:and\s+)?(?:so|therefore|thus|hence)\b|所以|因此|故", re.IGNORECASE)
# What a choice is named by that stands behind it: not aspirin, 不应使用肝素.
TURNED_DOWN = re.compile(
    r"(?:\b(?:not|instead of|rather than|than|over|unlike|without)(?: (?:the|an?|to|give|use|with|by))*"
    r"|不(?:应该?|宜|能|可以?|要|需要?)?(?:使用|用|给予?|选择?|首选|考虑|是)|而非|并非)\s*$"
)
# A choice with what is thought of it: (A) No. B. heparin - correct; C(×)
_YES = r"yes|true|correct|right|[✅✓✔√☑]|正确|对|是"
_NO = r"no|false|incorrect|wrong|not correct|[❌✗✘×☒]|错误?|不正确|不对|否|不是"
VERDICT = re.compile(
    r"[(\[]?\b([A-J])(?![a-z0-9'’])[)\]]?[\s.:、-]*(?:[^\n]{0,120}?[\s(\[:,–—-])??"
    rf"(?:({_YES})|(?:{_NO}))(?![a-z])[)\].。;,!]*(?=\s*(?:[(\[]?[A-J]\b|$))",
    re.IGNORECASE,
)

LABEL = re.compile(
    r"^\s*(?:(?:option|choice|选项)\s*)?[(\[\"']{0,3}([A-Z])"
    r"(?:[)\]\"']+(?![A-Za-z])|(?:\s*选?项)?\s*[.:、,;。)]|(?:\s*选?项)?\s*$"
    r"|\s+[-–—]\s|(?=\s*[\u4e00-\u9fff])|(?=\s+[A-Z0-9]))",
    re.MULTILINE | re.IGNORECASE,
)
LABEL_SIGN = re.compile(r"\s*[.):、]")
_FURTHER = r"(?:[,;、\n]|\band\b|\bor\b|(?<=[\u4e00-\u9fff])\s|和|及|与)\s*[-•(]?\s*([A-J])[.):、]\s*(?=\w)"
FURTHER_LABEL = re.compile(_FURTHER)
LABELLED_LINES = re.compile(r"[^\n]*(?:\n\s*[-•(]?\s*[A-J][.):、][^\n]*)+")
# Words that make a letter part of a name: vitamin C, group B, B cells, C. difficile.
NAMED_BEFORE = re.compile(
    r"(?:vitamins?|hepatitis|types?|groups?|class|grades?|stage|factors?|protein|influenza|flu|plan|phase|"
    r"figure|table|point|curve|serotypes?|antigen|immunoglobulin|ig|hemoglobin|haemoglobin|child-pugh|"
    r"criteri(?:on|a)|coenzyme|acetyl|(?:dr|mrs?|ms|prof)\.|patient|drug|lead|part|gene|allele|strain|region|zone|vit\.?|维生素|型|组|图|表|因子|抗原)\s*$",
    re.IGNORECASE,
)
NAMED_AFTER = re.compile(
    r"\s*[-‐]?(?:cells?|type|types|waves?|virus|antigens?|protein|receptors?|fib(?:er|re)s?|lymphocytes?|"
    r"streptococc\w*|sections?|reactive|peptide|细胞|型|族|超|组|级|反应蛋白|肽)(?![A-Za-z])"
    r"|\.?\s*(?:coli|difficile|albicans|trachomatis|perfringens|botulinum|tetani|neoformans|jejuni|diphtheriae|"
    r"pneumoniae|psittaci|burnetii|faecalis|faecium|histolytica|burgdorferi|anthracis|cereus|fragilis|"
    r"pertussis|henselae|abortus|fumigatus|flavus|baumannii|lumbricoides|israelii|granulosus|medinensis|"
    r"lamblia|vaginalis|duodenalis|pylori|influenzae|capsulatum|immitis|dermatitidis|elegans)\b"
)
WORD_FOLLOWS = re.compile(r"\s+[a-z0-9]")
WORD_OR_NOTHING = {"A": re.compile(r"\s+\w"), "I": re.compile(r"\s+\w|\s*$")}
AFTER_CHOICE_A = re.compile(
    r"\s+(?:because|as|since|and|or|which|is|for|due|in|with|not|but|given|was|are)\b"
)

DECLINED = re.compile(
    r"\bnone of (?:the|these|those)\b|\bno (?:correct|valid|right|suitable|appropriate) "
    r"(?:answer|option|choice)|"
    r"\bnot (?:listed|provided|given|available|among|enough|sure|specified|present|possible|applicable|"
    r"determinable|able)\b|"
    r"\b(?:can ?not|can't|could not|couldn't|unable to|impossible to|difficult to) (?:be )?"
    r"(?:\w+ ){0,2}?(?:determined?|answer|say|know|decide|provide|tell|assist|help|give|choose|comply|"
    r"conclude|confirm|fulfill|diagnose|select|identify)|\binsufficient\b|"
    r"\bi(?:'m| am) (?:sorry|unable|not)\b|"
    r"\bi (?:don't|do not) know\b|\bundetermined\b|\bindeterminate\b|\bunknown\b|"
    r"^\s*(?:n/?a|none|unsure|"
    r"uncertain|pass|unanswerable)\W*$|\bdecline\b|\bincomplete\b|"
    r"\bconsult (?:a|your) \w*\s*(?:doctor|physician|professional)|"
    r"不完整|无法(?:确定|回答|作答|判断|提供|选择|给出|得出)|不能(?:确定|回答|判断|提供)|不确定|不知道|不清楚|难以(?:判断|确定)|"
    r"抱歉|对不起|(?:以上|上述|这些|所有|全部|四个|五个)?(?:选项|答案|以上)?(?:都|均|皆)(?:不|错|无)|"
    r"没有(?:正确|合适|给出|提供|足够|一个)|信息不足|未提供|资料不足|拒绝回答|请咨询",
    re.IGNORECASE,
)
