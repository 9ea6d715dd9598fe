// Shows who runs, who leads, and how far each is behind, every second. The key stays in this tab.
"use strict";

const form = document.getElementById("key");
const news = document.getElementById("news");
const table = document.querySelector("table");
let key = null;

function cell(row, text, numeric) {
  const made = row.insertCell();
  made.textContent = text;
  if (numeric) made.className = "n";
}

function show(processes) {
  const rows = document.createElement("tbody");
  for (const { url, standing } of processes) {
    const row = rows.insertRow();
    if (standing === null) {
      row.className = "gone";
      cell(row, url);
      for (const text of ["–", "–", "–", "–", "–", "답이 없습니다 · no answer"]) cell(row, text);
      continue;
    }
    row.className = standing.role;
    cell(row, standing.name);
    cell(row, standing.role);
    cell(row, standing.pid, true);
    cell(row, standing.epoch || "–", true);
    cell(row, standing.head_seq.toLocaleString("en"), true);
    cell(row, Object.entries(standing.lags).map(([name, lag]) => `${name} ${lag}`).join(" · "));
    cell(row, standing.ready ? "정상 · ready" : standing.obstacles.join(", "));
  }
  table.tBodies[0].replaceWith(rows);
  table.hidden = false;
}

async function look() {
  if (key === null) return;
  try {
    const answer = await fetch("/v1/topology", { headers: { Authorization: `Bearer ${key}` } });
    if (answer.status === 401 || answer.status === 403) {
      key = null;
      form.hidden = false;
      news.textContent = "이 키로는 열 수 없습니다 · This key does not open it.";
      return;
    }
    if (answer.ok) {
      show((await answer.json()).processes);
      news.textContent = "";
    }
  } catch {
    news.textContent = "답이 없습니다. 다시 묻습니다 · No answer. Asking again.";
  }
  setTimeout(look, 1000);
}

form.addEventListener("submit", (event) => {
  event.preventDefault();
  key = new FormData(form).get("key").trim();
  form.reset();
  form.hidden = true;
  look();
});
