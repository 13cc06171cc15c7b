// A paper that is talked about: opened from a file, asked for evidence, and shown page by page beside the answer.
export const WORDS = {
  en: {
    read: "Ask a paper (PDF)", close: "Close the paper", reading: "Reading the paper…", finding: "Looking for evidence…",
    nothing: "No passage has anything of the question; it was asked without evidence.",
    passages: "Evidence from the paper", page: (number) => `page ${number}`, of: (count) => `${count} pages`,
    marked: (number, title, names) => `Page ${number} of ${title}, with passages ${names} marked`, untitled: "the paper",
    kinds: { caption: "caption, ", table: "table, ", note: "note, " }, enlarge: "Open the page on its own",
  },
  zh: {
    read: "向论文提问（PDF）", close: "关闭论文", reading: "正在读取论文…", finding: "正在查找证据…",
    nothing: "论文中没有与问题相关的段落；提问时未附证据。",
    passages: "论文中的证据", page: (number) => `第 ${number} 页`, of: (count) => `共 ${count} 页`,
    marked: (number, title, names) => `${title} 第 ${number} 页，已标出段落 ${names}`, untitled: "该论文",
    kinds: { caption: "图表标题，", table: "表格，", note: "注释，" }, enlarge: "单独打开此页",
  },
};

let paper = null; // {id, title, pages}
export const current = () => paper;

async function told(reply) {
  const body = await reply.json();
  if (!reply.ok) throw new Error(body.error.message);
  return body;
}

export async function open(file) {
  await close();
  paper = await told(await fetch("papers", { method: "POST", headers: { "content-type": "application/pdf" }, body: file }));
}

export async function take(id) { // one that the server has read already
  paper = await told(await fetch(`papers/${encodeURIComponent(id)}`));
}

export async function close() {
  if (paper) await fetch(`papers/${paper.id}`, { method: "DELETE" });
  paper = null;
}

export async function find(question) {
  const found = await told(await fetch(`papers/${paper.id}/evidence`, {
    method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify({ question: question.slice(0, 4000) }),
  }));
  return { ...found, paper };
}

const made = (name, facts = {}, ...inside) => {
  const node = Object.assign(document.createElement(name), facts);
  node.append(...inside);
  return node;
};

export function panel(found, words) {
  const figure = made("figure", { ariaLive: "polite" });
  const list = made("ol");
  const heading = made("h2", { textContent: words.passages });
  const buttons = found.evidence.map((passage, place) => {
    const number = made("span", { className: "number", textContent: place + 1 });
    number.ariaHidden = "true";
    const button = made("button", { type: "button" }, number, where(passage, words));
    button.setAttribute("aria-pressed", "false");
    button.addEventListener("click", () => { show(place); figure.scrollIntoView({ block: "nearest" }); });
    list.append(made("li", {}, button, made("p", {}, ...highlighted(passage.text, found.marked))));
    return button;
  });
  const show = (place) => {
    buttons.forEach((button, other) => button.setAttribute("aria-pressed", String(other === place)));
    figure.replaceChildren(...picture(found, found.evidence[place].page, words));
  };
  show(0);
  return made("section", { className: "passages", ariaLabel: words.passages }, heading, list, figure);
}

function where(passage, words) {
  const pages = [...new Set(passage.boxes.map((box) => box.page))];
  return `${words.kinds[passage.kind] ?? ""}${words.page(pages.join("–"))}${passage.section ? ` · ${passage.section}` : ""}`;
}

function picture(found, page, words) {
  const names = found.evidence.flatMap((one, place) => (one.boxes.some((box) => box.page === page) ? [place + 1] : []));
  const address = `papers/${found.paper.id}/pages/${page}?marked=${found.evidence.map((one) => one.id).join(",")}`;
  const image = made("img", { src: address, alt: words.marked(page, found.paper.title || words.untitled, names.join(", ")) });
  const link = made("a", { href: address, target: "_blank", rel: "noopener", title: words.enlarge }, image);
  image.addEventListener("error", () => link.remove());
  return [link, made("figcaption", { textContent: words.page(page) })];
}

function* highlighted(text, marked) {
  const escape = (word) => word.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");
  const whole = marked.map((word) => (/^[\x20-\x7e]+$/.test(word) ? `(?<![\\p{L}\\p{N}])${escape(word)}(?![\\p{L}\\p{N}])` : escape(word)));
  if (whole.length === 0) return yield text;
  let place = 0;
  for (const match of text.matchAll(new RegExp(whole.join("|"), "giu"))) {
    yield text.slice(place, match.index);
    yield made("mark", { textContent: match[0] });
    place = match.index + match[0].length;
  }
  yield text.slice(place);
}
