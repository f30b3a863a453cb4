"use strict";
// The search. Text only ever enters the page as text (textContent), never as markup.
const PAGE = 30;
const rows = JSON.parse(document.getElementById("rows").textContent).map(
  ([verdict, id, instruction, response, notes]) => ({
    verdict, id, instruction, response, notes,
    text: [id, instruction, response, notes].join("\n").toLowerCase(),
  }));
const [query, verdict, found, results, more] =
  ["query", "verdict", "found", "results", "more"].map((id) => document.getElementById(id));
let hits = rows, shown = 0;

function element(name, kind, text) {
  const made = document.createElement(name);
  made.className = kind;
  if (text !== undefined) made.textContent = text;
  return made;
}

function card(row) {
  const made = element("article", "row");
  const line = element("p", "line");
  line.append(element("span", row.verdict === "accepted" ? "verdict good" : "verdict", row.verdict), " ",
    element("code", "", row.id));
  made.append(line);
  for (const [kind, text] of [["text", row.instruction], ["text response", row.response], ["notes", row.notes]]) {
    if (!text) continue;
    const part = element("p", kind, text);
    part.dir = "auto";
    made.append(part);
  }
  return made;
}

function showMore() {
  results.append(...hits.slice(shown, shown + PAGE).map(card));
  shown = Math.min(hits.length, shown + PAGE);
  more.hidden = shown >= hits.length;
}

function search() {
  const words = query.value.toLowerCase().split(/\s+/).filter(Boolean);
  hits = rows.filter((row) =>
    (!verdict.value || row.verdict === verdict.value) && words.every((word) => row.text.includes(word)));
  found.textContent = hits.length.toLocaleString("en") + (hits.length === 1 ? " row" : " rows");
  results.replaceChildren();
  shown = 0;
  showMore();
}

let waiting = 0;
query.addEventListener("input", () => {
  clearTimeout(waiting);
  waiting = setTimeout(search, 120);
});
verdict.addEventListener("change", search);
more.addEventListener("click", showMore);
// page.html#q=two+words opens with that search.
query.value = new URLSearchParams(location.hash.slice(1)).get("q") || "";
search();
