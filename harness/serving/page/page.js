// The chat page: a client of the server it comes from. What a model says is only ever put in as text.
import { rendered } from "./markdown.js";
import * as paper from "./paper.js";

const WORDS = {
  en: {
    skip: "Skip to the question", model: "Model and adapter", template: "Template", own: "the model's own", settings: "Settings", system: "System prompt",
    length: "Longest answer, tokens", temperature: "Temperature", repetition: "Repetition penalty",
    evidence: "Evidence, one passage a line", auto: "What is left empty is as the server was told.",
    question: "Your question", placeholder: "Ask something. Enter sends, Shift-Enter begins a new line.",
    send: "Send", stop: "Stop", retry: "Retry", clear: "Clear", edit: "Edit", you: "You",
    writing: "Writing…", loading: "The model is being loaded…", stopped: "Stopped.", cut: "Cut at the longest answer.", lost: "The server does not answer.",
    molecule: "Drawing of the molecule", shown: "Evidence shown to the model",
  },
  zh: {
    skip: "跳到问题", model: "模型与适配器", template: "模板", own: "模型自带", settings: "设置", system: "系统提示",
    length: "最长回答（词元）", temperature: "温度", repetition: "重复惩罚",
    evidence: "证据，每行一段", auto: "留空的项目使用服务器的设置。",
    question: "您的问题", placeholder: "请输入问题。回车发送，Shift+回车换行。",
    send: "发送", stop: "停止", retry: "重试", clear: "清空", edit: "编辑", you: "您",
    writing: "正在回答…", loading: "正在加载模型…", stopped: "已停止。", cut: "已达到最长回答。", lost: "服务器没有回应。",
    molecule: "分子图", shown: "提供给模型的证据",
  },
};
for (const name in WORDS) Object.assign(WORDS[name], paper.WORDS[name]);
const SETTINGS = ["max_tokens", "temperature", "top_p", "repetition_penalty"];
const SMILES = /^(?=.*[A-Za-z])[A-Za-z0-9@+\-[\]()=#$:/\\.%*]{2,300}$/;

const at = (id) => document.getElementById(id);
const turns = []; // {role, content, evidence, found: what the paper has for it, panel: how that is shown}
const templates = new Map(); // by model
let language = (localStorage.getItem("language") ?? navigator.language).startsWith("zh") ? "zh" : "en";
let asking = null;
const notices = new Map(); // by model, then by language

const word = (name) => WORDS[language][name];
const say = (text) => { at("status").textContent = text; };

function warn() {
  const notice = notices.get(at("model").value) ?? {};
  at("notice").textContent = notice[language] ?? notice.en ?? "";
  at("notice").hidden = !at("notice").textContent;
}

function speak() {
  document.documentElement.lang = language === "zh" ? "zh-CN" : "en";
  for (const node of document.querySelectorAll("[data-text]")) node.textContent = word(node.dataset.text);
  at("question").placeholder = word("placeholder");
  at("language").textContent = language === "zh" ? "English" : "中文";
  at("language").lang = language === "zh" ? "en" : "zh";
  for (const turn of turns) delete turn.panel;
  subject();
  offerTemplates();
  warn();
  draw();
}

// What the chosen model can be asked by; a choice that it has as well stays.
function offerTemplates() {
  const chosen = at("template").value;
  const names = templates.get(at("model").value) ?? [];
  at("template").replaceChildren(new Option(word("own"), ""), ...names.map((name) => new Option(name, name)));
  at("template").value = names.includes(chosen) ? chosen : "";
  at("template").closest("label").hidden = names.length === 0;
}

function draw() {
  at("turns").replaceChildren(...turns.map(shown));
  at("retry").disabled = at("clear").disabled = turns.length === 0;
}

function shown(turn, place) {
  const item = document.createElement("li");
  item.className = turn.role;
  const who = document.createElement("div");
  who.className = "who";
  who.append(Object.assign(document.createElement("span"), { textContent: turn.role === "user" ? word("you") : at("model").value }));
  if (turn.role === "user") {
    const edit = Object.assign(document.createElement("button"), { type: "button", textContent: word("edit") });
    edit.addEventListener("click", () => { if (!asking) { at("question").value = turn.content; turns.length = place; draw(); at("question").focus(); } });
    who.append(edit);
  }
  const said = document.createElement("div");
  said.className = "said";
  put(said, turn);
  item.append(who, said);
  const found = turn.role === "assistant" ? turns[place - 1]?.found : undefined;
  if (found?.evidence.length) item.append((turn.panel ??= paper.panel(found, WORDS[language])));
  return item;
}

function put(said, turn) {
  if (turn.role === "user") {
    said.textContent = turn.content;
    if (turn.evidence) said.append(evidence(turn.evidence));
    return;
  }
  said.replaceChildren(rendered(turn.content));
  const smiles = turn.content.trim();
  if (turn.done && SMILES.test(smiles)) {
    const picture = Object.assign(new Image(320, 240), { className: "molecule", alt: `${word("molecule")}: ${smiles}` });
    picture.addEventListener("error", () => picture.remove());
    picture.src = `molecule.svg?smiles=${encodeURIComponent(smiles)}`;
    said.append(picture);
  }
}

function evidence(passages) {
  const box = document.createElement("details");
  box.append(Object.assign(document.createElement("summary"), { textContent: word("shown") }));
  const list = document.createElement("ol");
  list.append(...passages.map((text) => Object.assign(document.createElement("li"), { textContent: text })));
  box.append(list);
  return box;
}

function body() {
  const system = at("system").value.trim();
  const messages = system ? [{ role: "system", content: system }] : [];
  const last = turns.at(-1);
  for (const turn of turns) {
    const found = turn === last ? turn.found?.evidence.map((one) => one.text) ?? [] : []; // earlier ones have been answered
    const shown = [...(turn.evidence ?? []), ...found];
    const before = shown.length ? `### Evidence:\n${shown.join("\n")}\n\n### Instruction:\n${turn.content}\n\n### Response:\n` : turn.content;
    messages.push({ role: turn.role, content: before });
  }
  const asked = { model: at("model").value, messages, stream: true };
  if (at("template").value) asked.template = at("template").value;
  for (const name of SETTINGS) if (at(name).value !== "") asked[name] = Number(at(name).value);
  return asked;
}

async function* events(reply) {
  const reader = reply.body.pipeThrough(new TextDecoderStream()).getReader();
  let held = "";
  for (;;) {
    const { value, done } = await reader.read();
    if (done) return;
    held += value;
    const parts = held.split("\n\n");
    held = parts.pop();
    for (const part of parts) {
      const data = part.replace(/^data: /, "");
      if (data === "[DONE]") return;
      yield JSON.parse(data);
    }
  }
}

// How far what was said last reaches below what is seen of it.
const below = () => at("turns").lastElementChild.querySelector(".said").getBoundingClientRect().bottom - at("ask").getBoundingClientRect().top;

function follow(change, reads = below() < 40) { // whoever reads the end goes on reading it
  change();
  if (reads && below() > 0) scrollBy({ top: below() + 16, behavior: "instant" });
}

async function answer() {
  asking = new AbortController();
  at("send").hidden = true;
  at("stop").hidden = false;
  say(word("writing"));
  const asked = body();
  const turn = { role: "assistant", content: "", done: false };
  turns.push(turn);
  follow(draw, true);
  const said = at("turns").lastElementChild.querySelector(".said");
  let end = "";
  try {
    const reply = await fetch("v1/chat/completions", {
      method: "POST", signal: asking.signal, headers: { "content-type": "application/json" }, body: JSON.stringify(asked),
    });
    if (!reply.ok) throw new Error((await reply.json()).error.message);
    for await (const event of events(reply)) {
      if (event.error) throw new Error(event.error.message);
      const choice = event.choices[0];
      if (!choice) continue;
      turn.content += choice.delta.content ?? "";
      if (choice.finish_reason === "length") end = word("cut");
      follow(() => put(said, turn));
    }
  } catch (error) {
    end = error.name === "AbortError" ? word("stopped") : error instanceof TypeError ? word("lost") : error.message;
    if (!turn.content) turns.pop();
  }
  turn.done = true;
  asking = null;
  at("send").hidden = false;
  at("stop").hidden = true;
  follow(() => { draw(); say(end); });
  at("question").focus({ preventScroll: true });
}

async function ask() {
  const text = at("question").value.trim();
  if (!text || asking || at("send").hidden) return;
  const passages = at("evidence").value.split("\n").map((line) => line.trim()).filter(Boolean);
  const turn = { role: "user", content: text, evidence: passages.length ? passages : undefined };
  if (paper.current() && !(await found(turn))) return;
  turns.push(turn);
  at("question").value = "";
  await answer();
  if (turn.found?.evidence.length === 0 && !at("status").textContent) say(word("nothing"));
}

async function found(turn) { // whether the question may be asked
  at("send").hidden = true;
  say(word("finding"));
  try {
    turn.found = await paper.find(turn.content);
    return true;
  } catch (error) {
    say(error instanceof TypeError ? word("lost") : error.message);
    return false;
  } finally {
    at("send").hidden = false;
  }
}

function subject() {
  const about = paper.current();
  at("subject").textContent = about ? `${about.title || word("untitled")} (${word("of")(about.pages)})` : "";
  at("close").hidden = !about;
  document.body.classList.toggle("reading", Boolean(about));
}

async function read(work) {
  say(word("reading"));
  at("file").disabled = true;
  try {
    await work();
    say("");
    at("question").focus();
  } catch (error) {
    say(error instanceof TypeError ? word("lost") : error.message);
  }
  at("file").disabled = false;
  at("file").value = "";
  subject();
}

at("file").addEventListener("change", () => { const [file] = at("file").files; if (file) read(() => paper.open(file)); });
at("close").addEventListener("click", () => read(paper.close));
at("ask").addEventListener("submit", (event) => { event.preventDefault(); ask(); });
at("question").addEventListener("keydown", (event) => {
  if (event.key === "Enter" && !event.shiftKey && !event.isComposing) { event.preventDefault(); ask(); }
});
at("stop").addEventListener("click", () => asking?.abort());
document.addEventListener("keydown", (event) => { if (event.key === "Escape") asking?.abort(); });
at("clear").addEventListener("click", () => { if (!asking) { turns.length = 0; draw(); say(""); at("question").focus(); } });
at("retry").addEventListener("click", () => {
  if (asking || turns.length === 0) return;
  if (turns.at(-1).role === "assistant") turns.pop();
  answer();
});
at("language").addEventListener("click", () => {
  language = language === "zh" ? "en" : "zh";
  localStorage.setItem("language", language);
  speak();
});
at("open").addEventListener("click", () => {
  at("settings").hidden = !at("settings").hidden;
  at("open").setAttribute("aria-expanded", String(!at("settings").hidden));
});

at("model").addEventListener("change", () => { offerTemplates(); warn(); });

async function open() {
  while (!(await fetch("ready")).ok) {
    say(word("loading"));
    await new Promise((wake) => setTimeout(wake, 500));
  }
  say("");
  return (await fetch("v1/models")).json();
}

speak();
const models = await open().catch(() => { say(word("lost")); return { data: [] }; });
for (const model of models.data) {
  at("model").append(new Option(model.id, model.id));
  templates.set(model.id, model.templates);
  notices.set(model.id, model.notice ?? {});
}
offerTemplates();
warn();
at("question").focus();
const named = /^#paper=([\w-]+)$/.exec(location.hash);
if (named) await read(() => paper.take(named[1]));
