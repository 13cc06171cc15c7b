// Markdown as nodes: every piece of text goes in as text, so nothing that a model says becomes markup.
const BLOCKS = [
  [/^```([^\n`]*)\n([\s\S]*?)(?:\n```[ \t]*(?:\n|$)|$)/, ([, language, code]) => {
    const pre = document.createElement("pre");
    pre.append(Object.assign(document.createElement("code"), { textContent: code }));
    if (language.trim()) pre.setAttribute("aria-label", language.trim());
    return pre;
  }],
  [/^(#{1,6})[ \t]+([^\n]*)(?:\n|$)/, ([, marks, text]) => inline(document.createElement(`h${Math.min(6, marks.length + 2)}`), text)],
  [/^(?:[ \t]*[-*][ \t]+[^\n]*(?:\n|$))+/, ([text]) => list("ul", text, /^[ \t]*[-*][ \t]+/)],
  [/^(?:[ \t]*\d+[.)][ \t]+[^\n]*(?:\n|$))+/, ([text]) => list("ol", text, /^[ \t]*\d+[.)][ \t]+/)],
  [/^((?:\|[^\n]*\n)(?:\|[ \t:|-]+\n)(?:\|[^\n]*(?:\n|$))*)/, ([text]) => table(text)],
  [/^[^\n]+(?:\n(?!```|#|[ \t]*[-*][ \t]|[ \t]*\d+[.)][ \t]|\n)[^\n]+)*\n?/, ([text]) => inline(document.createElement("p"), text.trimEnd())],
];
const INLINE = /(`+)([^`]+)\1|\*\*([^*\n]+)\*\*|(?<![\w*])\*([^*\s][^*\n]*)\*(?![\w*])/g;

export function rendered(text) {
  const found = document.createDocumentFragment();
  let rest = text;
  while ((rest = rest.replace(/^\n+/, ""))) {
    for (const [pattern, make] of BLOCKS) {
      const match = pattern.exec(rest);
      if (match) {
        found.append(make(match));
        rest = rest.slice(match[0].length);
        break;
      }
    }
  }
  return found;
}

function inline(node, text) {
  let place = 0;
  for (const match of text.matchAll(INLINE)) {
    node.append(text.slice(place, match.index));
    const [name, inner] = match[1] ? ["code", match[2]] : match[3] ? ["strong", match[3]] : ["em", match[4]];
    node.append(Object.assign(document.createElement(name), { textContent: inner }));
    place = match.index + match[0].length;
  }
  node.append(text.slice(place));
  return node;
}

function list(kind, text, mark) {
  const node = document.createElement(kind);
  for (const line of text.trimEnd().split("\n")) node.append(inline(document.createElement("li"), line.replace(mark, "")));
  return node;
}

function table(text) {
  const node = document.createElement("table");
  const [head, , ...rows] = text.trimEnd().split("\n").map((line) => line.replace(/^\||\|\s*$/g, "").split("|"));
  [head, ...rows].forEach((cells, number) => {
    const row = node.insertRow();
    for (const cell of cells) row.append(inline(document.createElement(number ? "td" : "th"), cell.trim()));
  });
  return node;
}
