"use strict";
const WINDOW = 100; // rows that board.css lays out at first
// Sorting and filtering of tables that are complete without it.

function key(row, column, kind) {
  const cell = row.cells[column];
  if (kind === "text") return cell.textContent.trim().toLowerCase();
  const value = cell.dataset.value;
  return value === undefined || value === "" ? null : Number(value);
}

function compare(a, b) {
  return typeof a === "string" ? a.localeCompare(b, undefined, { numeric: true }) : a - b;
}

function sort(table, head) {
  const column = head.cellIndex;
  const kind = head.dataset.kind;
  const first = kind === "text" || column === 0 ? "ascending" : "descending";
  const other = first === "ascending" ? "descending" : "ascending";
  const order = head.getAttribute("aria-sort") === first ? other : first;
  for (const th of table.tHead.rows[0].cells) th.removeAttribute("aria-sort");
  head.setAttribute("aria-sort", order);
  const sign = order === "ascending" ? 1 : -1;
  const body = table.tBodies[0];
  const rows = Array.from(body.rows, (row) => [key(row, column, kind), row]);
  // What has no value stays below whatever the order.
  rows.sort(([a], [b]) => (a === null) - (b === null) || (a === null ? 0 : sign * compare(a, b)));
  body.append(...rows.map(([, row]) => row));
}

function filter() {
  const wanted = document.getElementById("filter").value.trim().toLowerCase();
  const levels = new Set();
  for (const box of document.querySelectorAll("input[data-trust]")) if (box.checked) levels.add(box.dataset.trust);
  let shown = 0;
  let all = 0;
  for (const row of document.querySelectorAll("tr[data-trust]")) {
    const name = row.querySelector("th").textContent.toLowerCase();
    row.hidden = !levels.has(row.dataset.trust) || !name.includes(wanted);
    if (row.closest("table.scores")) {
      all += 1;
      shown += !row.hidden;
    }
  }
  document.getElementById("count").textContent = shown === all ? "" : `${shown} of ${all} rows`;
}

function offerAll(table) {
  const button = document.createElement("button");
  button.type = "button";
  button.className = "more";
  button.textContent = `Show all ${table.tBodies[0].rows.length.toLocaleString("en")} rows`;
  button.addEventListener("click", () => {
    table.classList.add("all");
    table.closest(".scroll").focus();
    button.remove();
  });
  table.closest(".scroll").after(button);
}

for (const table of document.querySelectorAll("table[data-sortable]")) {
  if (table.tBodies[0].rows.length > WINDOW) offerAll(table);
  table.tHead.addEventListener("click", (event) => {
    const button = event.target.closest("button");
    if (button) sort(table, button.closest("th"));
  });
}
if (document.getElementById("filter")) {
  document.querySelector(".filters").addEventListener("input", filter);
  filter(); // a browser may restore what was typed before
}
