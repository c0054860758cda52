"use strict";
// Draws the lanes of a report. Everything from a cluster enters the page as text, never as markup.
(() => {
const $ = (id) => document.getElementById(id);
const LANES = ["schedule", "jobs", "pods", "snapshots", "backups", "faults", "logs", "events", "recorder"];
const NAMES = {schedule: "expected ticks", jobs: "Jobs", pods: "pod attempts", snapshots: "snapshots", backups: "backups",
  faults: "clean-up, fault", logs: "warnings in logs", events: "events", recorder: "recorder gaps"};
const SIGNS = {bad: "!", unknown: "?", ok: "", info: "i"};
const RANK = {info: 0, ok: 1, unknown: 2, bad: 3};
const HEAD = 22, STEP = 16, BAR = 11, MIN_WIDTH = 6, CHARACTER = 7;
const LEFT = 7.5 * parseFloat(getComputedStyle(document.documentElement).fontSize);  // as in the style
const PAPER = 960, PRINTED = 60;  // pixels across a printed page; volumes whose lanes are printed
const overview = JSON.parse($("overview").textContent);
const rowsBox = $("rows"), space = $("space");
let since = 0, until = 0, pad = 5;
let shown = [], offsets = [0], current = null, moment = null, raf = 0, started = false;
const drawn = new Map(), cache = new Map(), ready = new Map();
const clock = (s) => new Date(s * 1000).toISOString().slice(0, 19).replace("T", " ");

async function unpack(id) {
  const node = $(id);
  if (node === null) return null;
  const raw = Uint8Array.from(atob(node.textContent), (c) => c.charCodeAt(0));
  const stream = new Blob([raw]).stream().pipeThrough(new DecompressionStream("deflate"));
  const data = JSON.parse(await new Response(stream).text());
  const columns = Object.entries(data.marks), count = columns.length ? columns[0][1].length : 0;
  data.marks = Array.from({length: count}, (_none, id) => Object.fromEntries([["id", id], ...columns.map(([name, list]) => [name, list[id]])]));
  return data;
}
function cell(index) {
  if (!cache.has(index)) {
    cache.set(index, unpack("c" + index).then((data) => { ready.set(index, data); return data; }));
    if (cache.size > 2 * PRINTED) forget([...cache.keys()].find((old) => old !== index && !drawn.has(old) && !printable().includes(old)));
  }
  return cache.get(index);
}

function forget(index) { cache.delete(index); ready.delete(index); }
const printable = () => shown.slice(0, PRINTED).map((entry) => entry.index);
// Before printing there is no time to unpack anything, so it is done while nothing else is.
async function prepare() {
  for (const index of printable()) await cell(index);
  document.documentElement.dataset.printable = "1";
}
const whenIdle = window.requestIdleCallback || ((task) => setTimeout(task, 200));

// --- what is shown -----------------------------------------------------------------------------------------------
const filters = {run: $("run-filter"), volume: $("volume-filter"), check: $("check-filter"), verdict: $("verdict-filter"), state: $("state-filter")};
function matches(item, anyRun) {
  if (!anyRun && item.run !== Number(filters.run.value)) return false;
  const words = filters.volume.value.trim().toLowerCase();
  if (words && !item.volume.toLowerCase().includes(words)) return false;
  const check = filters.check.value, verdict = filters.verdict.value;
  if (check && !(check in item.checks)) return false;
  if (!verdict) return true;
  return check ? item.checks[check] === verdict : item.verdict === verdict || Object.values(item.checks).includes(verdict);
}
function refilter() {
  shown = overview.cells.map((item, index) => ({item, index})).filter((entry) => matches(entry.item));
  offsets = [0];
  for (const entry of shown) offsets.push(offsets[offsets.length - 1] + height(entry.item));
  space.style.setProperty("height", offsets[offsets.length - 1] + "px");
  $("no-rows").hidden = shown.length > 0;
  if (started) filterTable();
  for (const row of drawn.values()) row.remove();
  drawn.clear();
  $("count").textContent = shown.filter((entry) => entry.item.verdict).length + " of " + overview.cells.filter((item) => item.verdict && item.run === Number(filters.run.value)).length + " volumes";
  draw();
  delete document.documentElement.dataset.printable;
  whenIdle(prepare);
}
function filterTable() {
  const only = filters.check.value;
  for (const row of document.querySelectorAll("tr[data-cell]")) row.hidden = !matches(overview.cells[Number(row.dataset.cell)], true);
  for (const node of document.querySelectorAll("[data-check-column]")) node.hidden = only !== "" && node.dataset.checkColumn !== only;
  for (const part of document.querySelectorAll(".part")) part.hidden = part.querySelector("tr[data-cell]:not([hidden])") === null;
}
const height = (item) => HEAD + STEP * item.lanes.reduce((sum, lane) => sum + lane[1], 0) + 6;

// --- time --------------------------------------------------------------------------------------------------------
const base = d3.scaleUtc();
let scale = base.copy();
function chooseRun() {
  const run = overview.runs[Number(filters.run.value)];
  since = run.since; until = run.until;
  pad = Math.max(5, (until - since) * 0.02);
  base.domain([since - pad, until + pad].map((s) => new Date(s * 1000)));
}
const printing = () => document.documentElement.dataset.print === "1";
const width = () => Math.max(200, (printing() ? PAPER : rowsBox.clientWidth) - LEFT - 8);
const zoom = d3.zoom().scaleExtent([1, 20000]).filter((event) => event.type === "wheel" ? event.ctrlKey || event.metaKey : !event.button)
  .on("zoom", (event) => { transform = event.transform; sync(); });
let transform = d3.zoomIdentity;
const pane = d3.select(space);
function applyZoom(change) { zoom.translateExtent([[0, 0], [width(), 1]]).extent([[0, 0], [width(), 1]]); change(pane); }
function sync() {
  base.range([0, width()]);
  scale = transform.rescaleX(base);
  schedule();
}
function schedule() { if (!raf) raf = requestAnimationFrame(() => { raf = 0; paintAxis(); repaint(); }); }
const FORMATS = [[86400e3, "%b %d"], [60e3, "%H:%M"], [1e3, "%H:%M:%S"], [1, "%H:%M:%S.%L"]].map(([unit, text]) => [unit, d3.utcFormat(text)]);
const tickText = (time) => FORMATS.find(([unit]) => time % unit === 0)[1](time);
function paintAxis() {
  const box = d3.select("#axis");
  let svg = box.select("svg");
  if (svg.empty()) { svg = box.append("svg").attr("height", 34); svg.append("g").attr("transform", "translate(0,2)"); }
  svg.attr("width", width());
  svg.select("g").call(d3.axisBottom(scale).ticks(Math.max(2, width() / 110)).tickFormat(tickText));
  const [a, b] = scale.domain();
  $("window").textContent = clock(a / 1000) + " to " + clock(b / 1000) + " UTC";
}

// --- rows --------------------------------------------------------------------------------------------------------
function draw() {
  const near = printing() ? printedPlaces() : placesInSight();
  const keep = new Set(near.map((place) => shown[place].index));
  for (const [index, row] of drawn) if (!keep.has(index) && !row.contains(document.activeElement)) { row.remove(); drawn.delete(index); }
  for (const place of near) if (!drawn.has(shown[place].index)) addRow(place);
}
function placesInSight() {
  const ahead = started ? 200 : 0;
  const top = rowsBox.scrollTop - ahead, bottom = rowsBox.scrollTop + rowsBox.clientHeight + ahead;
  const near = [];
  for (let place = d3bisect(offsets, top); place < shown.length && offsets[place] < bottom; place++) near.push(place);
  return near;
}
function printedPlaces() {
  const places = [...shown.slice(0, PRINTED).keys()].filter((place) => ready.has(shown[place].index));
  const [some, all] = [places.map((place) => shown[place]), shown].map((list) => list.filter((entry) => entry.item.verdict).length);
  $("print-note").textContent = some < all ? "The lanes of " + some + " of " + all + " volumes are printed. Filters choose which." : "";
  return places;
}
function d3bisect(list, value) {
  let low = 0, high = list.length - 1;
  while (low < high) { const middle = (low + high + 1) >> 1; if (list[middle] <= value) low = middle; else high = middle - 1; }
  return Math.max(0, low);
}
function element(name, attributes, text) {
  const node = document.createElement(name);
  for (const [key, value] of Object.entries(attributes || {})) node.setAttribute(key, value);
  if (text !== undefined) node.textContent = text;
  return node;
}
function addRow(place) {
  const {item, index} = shown[place];
  const row = element("div", {class: "row", role: "group", "aria-label": item.volume + ", " + item.verdict, "data-row": index});
  row.style.setProperty("top", offsets[place] + "px");
  row.style.setProperty("height", height(item) + "px");
  const head = element("h3");
  if (item.verdict) head.append(element("span", {class: "verdict " + item.verdict}, item.word));
  head.append(document.createTextNode(item.volume + " · " + item.about));
  row.append(head);
  let y = HEAD;
  for (const [lane, lines, over] of item.lanes) {
    const name = element("div", {class: "lane-name"}, NAMES[LANES[lane]] + (over ? " +" + over : ""));
    if (over) name.setAttribute("title", over + " more lie over others, because so many are there at once");
    name.style.setProperty("top", y + "px");
    row.append(name);
    y += lines * STEP;
  }
  const svg = d3.select(row).append("svg").attr("height", height(item)).attr("role", "group").attr("aria-label", "marks of " + item.volume);
  svg.append("g").attr("class", "under");
  svg.append("g").attr("class", "marks");
  drawn.set(index, row);
  const order = [...space.children].find((other) => Number(other.dataset.row) > index);
  space.insertBefore(row, order || null);
  paintRow(index, row);
}
function repaint() { for (const [index, row] of drawn) paintRow(index, row); }
function place(mark, item) {
  let y = HEAD;
  for (const [lane, lines] of item.lanes) {
    if (lane === mark.l) return y + Math.min(mark.r, lines - 1) * STEP;
    y += lines * STEP;
  }
  return y;
}
function paintRow(index, row) {
  const data = ready.get(index);
  if (!row.isConnected || data === null) return;
  if (data === undefined) { cell(index).then(() => paintRow(index, row)); return; }
  const item = overview.cells[index];
  const svg = d3.select(row).select("svg").attr("width", width()).attr("height", height(item) + (printing() ? STEP : 0));
  const times = scale.ticks(Math.max(2, width() / 110));
  const [from, to] = scale.domain().map(Number).map((ms) => ms / 1000);
  const wanted = filters.state.value;
  const held = current !== null && current.row === index && row.contains(document.activeElement) ? current.mark : -1;
  const visible = data.marks.filter((m) => m.id === held || m.s <= to && (m.e === null ? until : m.e) >= from
    && (!wanted || m.st === wanted || (wanted === "both" && (m.st === "bad" || m.st === "unknown"))));
  visible.sort((a, b) => RANK[a.st] - RANK[b.st] || a.id - b.id);  // what matters is drawn on top
  const under = svg.select("g.under");
  under.selectAll("line.grid").data(times).join("line").attr("class", "grid")
    .attr("x1", (d) => scale(d)).attr("x2", (d) => scale(d)).attr("y1", HEAD).attr("y2", height(item) - 4);
  under.selectAll("text").data(printing() ? times : []).join("text")  // a page may hold this row without the axis
    .attr("x", (d) => scale(d)).attr("y", height(item) + 8).text(tickText);
  under.selectAll("line.moment").data(moment === null ? [] : [moment]).join("line").attr("class", "moment")
    .attr("x1", (d) => scale(d * 1000)).attr("x2", (d) => scale(d * 1000)).attr("y1", 0).attr("y2", height(item));
  const focus = current !== null && current.row === index ? current.mark : visible.length ? visible[0].id : -1;
  svg.select("g.marks").selectAll("g.mark").data(visible, (m) => m.id).join((enter) => enter.append("g").each(build))
    .attr("class", (m) => "mark s-" + m.st + (m.o ? " o-" + m.o : "") + (isPoint(m) ? " point" : "") + (current !== null && current.row === index && current.mark === m.id ? " current" : ""))
    .attr("tabindex", (m) => (m.id === focus ? 0 : -1))
    .attr("transform", (m) => "translate(0," + place(m, item) + ")").each(shape).order();
  row.dataset.ready = "1";
}
function build(mark) {
  const group = d3.select(this).attr("role", "button").attr("data-mark", mark.id).attr("data-lane", LANES[mark.l]).attr("data-state", mark.st)
    .attr("data-kind", mark.k).attr("aria-label", label(mark));
  group.append("path").attr("class", "shape");
  if (mark.t !== null) group.append("rect").attr("class", "hatch");
  const text = sign(mark);
  if (text) group.append("text").attr("class", "sign").attr("aria-hidden", "true").text(text);
}
const sign = (mark) => (mark.o === "store" ? "◧" : mark.o === "api" ? "◨" : mark.k === "retry" ? "↻" : "") + SIGNS[mark.st];
const MOMENTS = ["schedule", "logs", "events"].map((lane) => LANES.indexOf(lane));
const isPoint = (mark) => mark.e === mark.s && MOMENTS.includes(mark.l);  // elsewhere it was only short
function shape(mark) {
  const group = d3.select(this), open = mark.e === null, point = isPoint(mark), words = sign(mark);
  const left = Math.max(-20, scale(mark.s * 1000));
  const end = Math.min(width() + 20, scale((open ? until + pad / 2 : mark.e) * 1000));
  const w = Math.max(MIN_WIDTH, end - left);
  group.select("path.shape").attr("d", point ? glyph(mark, left) : bar(left, w, open, mark.k === "retry"));
  const fits = point || w >= CHARACTER * words.length + 4;  // a narrow bar says only how it stands
  group.select("text.sign").text(fits ? words : SIGNS[mark.st]).attr("x", point ? left : left + Math.min(w, 40) / 2).attr("y", BAR - 1);
  if (mark.t !== null) {
    const start = Math.max(left, scale(mark.t * 1000));
    group.select("rect.hatch").attr("x", start).attr("y", 1).attr("height", BAR).attr("width", Math.max(2, left + w - start));
  }
}
function bar(left, w, open, slanted) {
  const right = left + w, half = BAR / 2;
  return "M" + left + "," + (BAR + 1) + "L" + (left + (slanted ? Math.min(4, w / 2) : 0)) + ",1H"
    + (open ? right - 4 + "l4," + half + "l-4," + half : right + "V" + (BAR + 1)) + "Z";
}
function glyph(mark, x) {
  const y = 1 + BAR / 2, loud = SIGNS[mark.st] !== "", size = loud ? 6 : 4;
  if (mark.k === "tick") return "M" + (x - size) + ",1h" + 2 * size + "l" + -size + "," + BAR + "Z";
  if (mark.k === "missing event") return "M" + x + "," + (y - 7) + "l7,7l-7,7l-7,-7Z";
  if (mark.l === LANES.indexOf("events")) return "M" + (x - size) + "," + y + "a" + size + "," + size + " 0 1 0 " + 2 * size + ",0a" + size + "," + size + " 0 1 0 " + -2 * size + ",0Z";
  if (loud) return "M" + (x - 6) + "," + (y - 6) + "h12v12h-12Z";
  return "M" + x + "," + (y - 6) + "l6,12h-12Z";
}
function label(mark) {
  const end = mark.e === null ? " to after the record's end" : mark.e === mark.s ? "" : " to " + clock(mark.e);
  const words = {ok: "as it should be", bad: "against the run", unknown: "not known", info: "for information"};
  return mark.n + ", " + words[mark.st] + ", " + clock(mark.s) + end + (mark.x ? ". " + mark.x : "")
    + (mark.t !== null ? ". Being deleted since " + clock(mark.t) : "") + (mark.o ? ". Only in the " + (mark.o === "store" ? "store" : "API") : "");
}

// --- evidence ----------------------------------------------------------------------------------------------------
function openEvidence(title, paragraphs, pieces, none) {
  $("evidence-title").textContent = title;
  const body = $("evidence-body");
  body.replaceChildren(...paragraphs.filter(Boolean).map((text) => element("p", {}, text)));
  if (!pieces.length) body.append(element("p", {}, none || "There is nothing recorded to show for this."));
  for (const piece of pieces) {
    const figure = element("figure");
    figure.append(element("figcaption", {}, piece.what + " (" + piece.where + ")" + (piece.text ? ": " + piece.text : "")));
    if (piece.lines && piece.lines.length) {
      const pre = element("pre", {tabindex: "0", role: "region", "aria-label": "Excerpt of " + piece.what});
      for (const [number, text, match] of piece.lines) {
        if (number !== null) pre.append(element("span", {class: "n"}, String(number).padStart(4) + "  "));
        if (match === null) pre.append(document.createTextNode(text));
        else pre.append(document.createTextNode(text.slice(0, match[0])), element("mark", {}, text.slice(match[0], match[1])), document.createTextNode(text.slice(match[1])));
        pre.append(document.createTextNode("\n"));
      }
      figure.append(pre);
    }
    body.append(figure);
  }
  if (!$("evidence").open) $("evidence").showModal();
  body.scrollTop = 0;
}
async function openMark(index, id) {
  const data = await cell(index), mark = data.marks.find((m) => m.id === id);
  choose(index, mark, false);
  remember(mark.s, index);
  const left = overview.runs[overview.cells[index].run].shortened ? "This report is so large that it carries only the first evidence of what speaks against the run or is not known. The history has the rest." : "";
  openEvidence(mark.n, [label(mark), mark.j ? "Job " + mark.j : ""], mark.v.map((number) => data.excerpts[number]), left);
}
async function openCheck(index, name) {
  const data = await cell(index), check = data.checks.find((item) => item.check === name);
  openEvidence(check.check + ": " + check.verdict, [overview.cells[index].volume, check.summary, check.known_issue, check.advice],
    check.evidence.map(([number, what, where, text]) => ({what, where, text, lines: number === null ? [] : data.excerpts[number].lines})));
}
async function openCell(index) {
  const data = await cell(index), item = overview.cells[index];
  openEvidence(item.volume, [item.about, ...data.invocations], []);
  $("evidence-body").lastElementChild.remove();
}

// --- keyboard, mouse, links --------------------------------------------------------------------------------------
function choose(index, mark, focus) {
  current = {row: index, mark: mark.id};
  const [from, to] = scale.domain().map((d) => Number(d) / 1000);
  if (mark.s < from || mark.s > to) applyZoom((sel) => zoom.translateTo(sel, base(mark.s * 1000), 0));
  schedule();
  if (focus) requestAnimationFrame(() => requestAnimationFrame(() => { const node = rowsBox.querySelector('[data-row="' + index + '"] [data-mark="' + mark.id + '"]'); if (node) node.focus({preventScroll: false}); }));
}
async function move(key) {
  const node = document.activeElement.closest ? document.activeElement.closest("g.mark") : null;
  if (node === null) { const first = rowsBox.querySelector('g.mark[tabindex="0"]'); if (first) first.focus(); return; }
  const row = node.closest(".row"), index = Number(row.dataset.row), data = await cell(index);
  const ids = [...row.querySelectorAll("g.mark")].map((item) => Number(item.dataset.mark));
  const marks = data.marks.filter((m) => ids.includes(m.id)), mark = data.marks.find((m) => m.id === Number(node.dataset.mark));
  const same = marks.filter((m) => m.l === mark.l);
  const at = same.findIndex((m) => m.id === mark.id);
  if (key === "ArrowLeft" && at > 0) return choose(index, same[at - 1], true);
  if (key === "ArrowRight" && at < same.length - 1) return choose(index, same[at + 1], true);
  if (key === "ArrowLeft" || key === "ArrowRight") return undefined;
  const down = key === "ArrowDown";
  const lanes = [...new Set(marks.map((m) => m.l))].sort((a, b) => a - b);
  const lane = lanes[lanes.indexOf(mark.l) + (down ? 1 : -1)];
  if (lane !== undefined) return choose(index, nearest(marks.filter((m) => m.l === lane), mark.s), true);
  const next = shown[shown.findIndex((entry) => entry.index === index) + (down ? 1 : -1)];
  if (next === undefined) return undefined;
  const other = (await cell(next.index)).marks;
  if (!other.length) return undefined;
  const place = shown.indexOf(next);
  if (offsets[place] < rowsBox.scrollTop || offsets[place + 1] > rowsBox.scrollTop + rowsBox.clientHeight) { rowsBox.scrollTop = offsets[place]; draw(); }
  const edge = down ? Math.min(...other.map((m) => m.l)) : Math.max(...other.map((m) => m.l));
  return choose(next.index, nearest(other.filter((m) => m.l === edge), mark.s), true);
}
const nearest = (marks, time) => marks.reduce((best, m) => (Math.abs(m.s - time) < Math.abs(best.s - time) ? m : best));
// Keys zoom around the mark that has the focus, so that it is not lost.
function centre() {
  const node = document.activeElement.closest("g.mark");
  return node === null ? undefined : [scale(d3.select(node).datum().s * 1000), 0];
}
const actions = {
  in: (sel) => zoom.scaleBy(sel, 2, centre()), out: (sel) => zoom.scaleBy(sel, 0.5, centre()), all: (sel) => zoom.transform(sel, d3.zoomIdentity),
  left: (sel) => zoom.translateBy(sel, width() / 4 / transform.k, 0), right: (sel) => zoom.translateBy(sel, -width() / 4 / transform.k, 0),
};
rowsBox.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  const act = {"+": "in", "=": "in", "-": "out", "0": "all"}[event.key] || (event.shiftKey ? {ArrowLeft: "left", ArrowRight: "right"}[event.key] : undefined);
  if (act) { applyZoom(actions[act]); event.preventDefault(); return; }
  if (event.key.startsWith("Arrow")) { event.preventDefault(); move(event.key); }
  if (event.key === "Enter" || event.key === " ") {
    const node = event.target.closest("g.mark");
    if (node) { event.preventDefault(); openMark(Number(node.closest(".row").dataset.row), Number(node.dataset.mark)); }
  }
});
rowsBox.addEventListener("click", (event) => {
  const node = event.target.closest("g.mark");
  if (node) openMark(Number(node.closest(".row").dataset.row), Number(node.dataset.mark));
  else if (event.target.closest(".row svg")) remember(Number(scale.invert(event.clientX - rowsBox.getBoundingClientRect().left - LEFT)) / 1000, Number(event.target.closest(".row").dataset.row));
});
rowsBox.addEventListener("focusin", (event) => {
  const node = event.target.closest("g.mark");
  if (node) { current = {row: Number(node.closest(".row").dataset.row), mark: Number(node.dataset.mark)}; tip(node, node.getBoundingClientRect()); }
});
rowsBox.addEventListener("focusout", () => { $("tip").hidden = true; });
rowsBox.addEventListener("mousemove", (event) => {
  const node = event.target.closest("g.mark");
  if (node) tip(node, {left: event.clientX, bottom: event.clientY + 8}); else $("tip").hidden = true;
});
rowsBox.addEventListener("mouseleave", () => { $("tip").hidden = true; });
document.addEventListener("keydown", (event) => { if (event.key === "Escape") $("tip").hidden = true; });
function tip(node, box) {
  const note = $("tip");
  note.textContent = node.getAttribute("aria-label");
  note.hidden = false;
  note.style.setProperty("left", Math.max(4, Math.min(box.left, innerWidth - note.offsetWidth - 8)) + "px");
  note.style.setProperty("top", Math.max(4, Math.min(box.bottom + 6, innerHeight - note.offsetHeight - 8)) + "px");
}
document.addEventListener("click", (event) => {
  const button = event.target.closest("button");
  if (button === null) return;
  if (button.dataset.do) applyZoom(actions[button.dataset.do]);
  else if (button.dataset.check) openCheck(Number(button.dataset.index), button.dataset.check);
  else if (button.dataset.volume !== undefined) openCell(Number(button.dataset.volume));
});
function remember(seconds, index) {
  moment = seconds;
  const words = new URLSearchParams({t: new Date(seconds * 1000).toISOString(), v: overview.cells[index].volume});
  if (overview.runs.length > 1) words.set("r", overview.cells[index].run + 1);
  history.replaceState(null, "", "#" + words);
  schedule();
}
function follow() {
  const words = new URLSearchParams(location.hash.slice(1));
  const time = Date.parse(words.get("t") || "");
  if (Number.isNaN(time)) return;
  moment = time / 1000;
  const run = words.get("r");
  const at = overview.cells.findIndex((item) => item.volume === words.get("v") && (run === null || item.run === Number(run) - 1));
  if (at >= 0 && overview.cells[at].run !== Number(filters.run.value)) { filters.run.value = String(overview.cells[at].run); changeRun(); }
  const place = shown.findIndex((entry) => entry.index === at);
  if (place >= 0) rowsBox.scrollTop = offsets[place];
  applyZoom((sel) => { if (transform.k < 2) zoom.scaleTo(sel, 4); zoom.translateTo(sel, base(time), 0); });
  $("timeline-section").scrollIntoView();
  draw();
}
function changeRun() {
  chooseRun();
  transform = d3.zoomIdentity;
  sync();
  refilter();
}
for (const control of Object.values(filters)) control.addEventListener("input", control === filters.run ? changeRun : refilter);
$("evidence-close").addEventListener("click", () => $("evidence").close());
rowsBox.addEventListener("scroll", draw, {passive: true});
addEventListener("resize", () => { applyZoom(() => {}); sync(); draw(); });
addEventListener("hashchange", follow);
function layOut() { base.range([0, width()]); scale = printing() ? base.copy() : transform.rescaleX(base); paintAxis(); draw(); repaint(); }
addEventListener("beforeprint", () => { document.documentElement.dataset.print = "1"; layOut(); });
addEventListener("afterprint", () => { delete document.documentElement.dataset.print; layOut(); });
chooseRun();
base.range([0, width()]);
applyZoom(() => {});
pane.call(zoom).on("dblclick.zoom", null);
sync();
refilter();
follow();
started = true;
document.documentElement.dataset.ready = "1";
})();
