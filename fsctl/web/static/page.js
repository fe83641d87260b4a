// What goes on, as the API tells it: fetched once, then followed by events; each frame draws what has
// changed. What came from the network becomes text nodes only (the page may make no HTML of it).

import { Rows, make, set, write } from "./rows.js";
import {
  ROLES, alive, called, clock, counting, exact, lasting, legs, many, named, now, number, plain, setClock, since, stage,
  standing, standingOf, told, whole, words,
} from "./words.js";

const API = "api/v1/";
const SILENT_MS = 25_000; // the desk says something every 10 s
const HIDDEN_MS = 60_000; // a page that nobody sees needs no stream: browsers have six a host
const STATUS_MS = 5_000;
const MOST_KNOWN = 2_000; // transfers; the desk remembers 500 that have ended

const $ = (id) => document.getElementById(id);
const calls = new Map(); // by id, the oldest first, as the next three
const transfers = new Map();
const kept = new Map(); // from the database: the latest, and what was searched for
const workers = new Map();
const over = new Set(); // calls that have ended lately: a late answer brings none back
const view = { transfer: "", call: "", number: "", show: "" }; // as the fragment says
const page = { view, go, draw };
let status = { problems: [], calls: 0, version: "" };
let last = null; // number of the latest event; null: fetch first
let paused = false;
let missed = 0; // changes since it was paused
let detail = null; // what the database says of the transfer that is shown
let ladder = { of: "", source: "" };

// -- the tables -----------------------------------------------------------------------------------

const outcome = (transfer) => transfer.outcome ?? (transfers.has(transfer.id) ? "open" : "unknown");
const say = (text) => write($("told"), text);

const transferRows = new Rows(page, $("transfer-table"), (row, transfer, first) => {
  write(first, clock(transfer.began) || "?");
  const parties = ROLES.map((role) => named(transfer, role)).join(" → ");
  set(first, "aria-label", `${first.textContent} ${parties}: ${words(transfer, outcome(transfer))}`);
  ROLES.forEach((role, place) => {
    const cell = row.cells[place + 1];
    if (!cell.firstChild) cell.append(make("bdi"));
    write(cell.firstChild, plain(number(transfer, role)) || "–");
  });
  row.cells[4].className = "words";
  write(row.cells[4], words(transfer, outcome(transfer)));
  set(row, "data-outcome", outcome(transfer));
  set(row, "data-stage", String(stage(transfer)));
  tickTransfer(row, transfer);
}, "transfer");

function tickTransfer(row, transfer) {
  if (transfer.ended) write(row.cells[5], lasting(Date.parse(transfer.ended) - Date.parse(transfer.began)));
  else write(row.cells[5], outcome(transfer) === "open" ? counting(since(transfer.began)) : "");
}

const callRows = new Rows(page, $("call-table"), (row, call, first) => {
  const there = legs(call);
  const parties = there.some(alive) ? there.filter(alive) : there;
  first.replaceChildren(...parties.slice(0, 6).flatMap((leg, place) => [place ? " · " : "", make("bdi", {}, called(leg))]));
  if (!parties.length) write(first, "nobody yet");
  write(row.cells[1], standingOf(call));
  tickCall(row, call);
}, "call");

const tickCall = (row, call) => write(row.cells[2], counting(since(call.began)));

const workerRows = new Rows(page, $("worker-table"), (row, worker, first) => {
  write(first, `${worker.number} (pid ${worker.pid})`);
  write(row.cells[1], Number(worker.sessions ?? 0).toLocaleString());
  write(row.cells[2], lasting(worker.late_ms));
  write(row.cells[3], `${Math.round((worker.resident ?? 0) / 1e6)} MB`);
  write(row.cells[4], counting(now() - worker.began * 1000));
});

// -- drawing --------------------------------------------------------------------------------------

let drawing = false;

/** Something has changed: it is drawn with the next frame. */
function draw() {
  if (drawing) return;
  drawing = true;
  requestAnimationFrame(() => {
    drawing = false;
    render();
  });
}

function render() {
  set($("pause"), "aria-pressed", String(paused));
  write($("pause"), paused && missed ? `Paused (${missed.toLocaleString()})` : paused ? "Paused" : "Pause");
  if (!paused) drawTables();
  drawDetail();
}

function drawTables() {
  const all = listed();
  const counts = Map.groupBy(all, outcome);
  for (const button of $("filters").children) {
    const show = button.dataset.show;
    set(button, "aria-pressed", String(view.show === show));
    if (!show) continue;
    const count = counts.get(show)?.length ?? 0;
    write(button.lastElementChild, String(count));
    button.lastElementChild.classList.toggle("some", count > 0);
  }
  const found = view.number ? ` for ${plain(view.number, 40)}` : "";
  const wanted = view.show ? (counts.get(view.show) ?? []) : all;
  transferRows.draw(wanted, found || view.show ? `No such transfer${found}.` : "No transfer yet. One appears here as soon as a phone sends a REFER.");
  const going = [...calls.values()].reverse().filter(callMatches);
  callRows.draw(going, found ? `No call${found}.` : "No call goes on that fsctl has seen.");
  const total = view.number ? going.length : Math.max(going.length, status.calls);
  write($("call-count"), total ? total.toLocaleString() : "");
  drawHealth();
  document.title = `${status.problems.length ? "⚠ " : ""}${going.length} calls – fsctl`;
}

function listed() {
  const live = [...transfers.values()];
  const rest = [...kept.values()].filter((transfer) => !transfers.has(transfer.id));
  return live.concat(rest).filter(matches).sort((a, b) => (a.began < b.began ? 1 : a.began > b.began ? -1 : 0));
}

function matches(transfer) {
  const text = view.number;
  if (!text) return true;
  return (
    ROLES.some((role) => {
      const party = transfer[role] ?? {};
      return (party.number ?? "").endsWith(text) || party.call_id === text || party.channel === text;
    }) ||
    (transfer.refer_to ?? "").includes(text) || transfer.call === text ||
    (text.length >= 4 && transfer.id.startsWith(text))
  );
}

function callMatches(call) {
  const text = view.number;
  const ofLeg = (leg) => (leg.number ?? "").endsWith(text) || (leg.dialled ?? "").endsWith(text) || leg.call_id === text || leg.channel === text;
  return !text || call.id === text || Object.values(call.legs).some(ofLeg);
}

function drawHealth() {
  const there = [...workers.values()].filter((worker) => worker.number).sort((a, b) => a.number - b.number).map((worker) => ({ ...worker, id: worker.pid }));
  workerRows.draw(there, "No worker has said lately that it lives.");
  const switches = new Map();
  for (const worker of there) {
    for (const [name, connected] of Object.entries(worker.switches ?? {})) {
      const known = switches.get(name) ?? { on: 0, of: 0 };
      switches.set(name, { on: known.on + Boolean(connected), of: known.of + 1 });
    }
  }
  const lines = [...switches].map(([name, { on, of }]) => [on === of ? "" : on ? "some" : "bad", `${plain(name)}${on === of ? " connected" : on ? `: ${on} of ${of} workers connected` : " not connected"}`]);
  list($("switches"), lines);
  list($("problem-list"), status.problems.map((problem) => ["", plain(problem, 300)]));
  $("problems").hidden = status.problems.length === 0;
}

function list(element, lines) {
  const same = JSON.stringify(lines);
  if (element.said === same) return;
  element.said = same;
  element.replaceChildren(...lines.map(([kind, text]) => make("li", { class: kind || null }, text)));
}

let ticked = Date.now();

setInterval(() => {
  if (document.hidden) return;
  if (Date.now() - ticked > 5000) hangUp();
  ticked = Date.now();
  if (paused) return;
  transferRows.tick(tickTransfer);
  callRows.tick(tickCall);
}, 1000);

// -- one of them ----------------------------------------------------------------------------------

let drawn = []; // what the details were made of

function drawDetail() {
  const transfer = view.transfer && (transfers.get(view.transfer) ?? kept.get(view.transfer) ?? detail);
  const call = view.call && calls.get(view.call);
  const of = view.transfer || view.call;
  set(document.body, "data-shown", of);
  $("main").toggleAttribute("data-open", Boolean(of));
  $("detail").hidden = !of;
  const made = [of, detail, ladder.source, ...(paused ? [] : [transfer, call, transfer && calls.get(transfer.call)])];
  if (drawn.length && made.every((each, place) => each === drawn[place])) return;
  drawn = made;
  if (!of) return;
  const focused = document.activeElement?.dataset?.key;
  const body = $("detail-body");
  if (transfer) {
    write($("detail-title"), `${kindOf(transfer)} transfer`);
    body.replaceChildren(...aboutTransfer({ ...(detail ?? {}), ...transfer }));
  } else if (call) {
    write($("detail-title"), "Call");
    body.replaceChildren(...aboutCall(call));
  } else {
    write($("detail-title"), view.call ? "Call" : "Transfer");
    body.replaceChildren(make("p", { class: "note" }, view.call ? "This call is over." : detail === null ? "One moment…" : "No such transfer is known."));
  }
  if (focused) [...body.querySelectorAll("[data-key]")].find((each) => each.dataset.key === focused)?.focus();
}

const kindOf = (transfer) => plain(transfer.kind || "").replace(/^./, (c) => c.toUpperCase());

function aboutTransfer(transfer) {
  const exchange = transfer.exchange ?? {};
  const asked = exchange.host && [
    `${plain(exchange.host)}, ${exchange.ms} ms, HTTP ${exchange.status || "none"}`,
    plain(exchange.decision ?? exchange.failure ?? "", 300),
  ].filter(Boolean).join(": ");
  const rule = transfer.rule && `${transfer.allowed === false ? "refused" : "allowed"} by rule ${plain(transfer.rule)}`;
  const decided = { settings: "the settings", scenario: "the scenario", web: "the web service" }[transfer.decided_by];
  const call = calls.get(transfer.call);
  const ended = transfer.ended && ` – ${clock(transfer.ended)} (${lasting(Date.parse(transfer.ended) - Date.parse(transfer.began))})`;
  return [
    make("p", { "data-outcome": outcome(transfer) }, make("span", { class: "words" }, words(transfer, outcome(transfer)))),
    make("ul", { class: "parties", "aria-label": "Parties" }, ...ROLES.map((role) => aboutParty(transfer, role, call))),
    facts([
      ["When", `${exact(transfer.began)}${ended || ""}`],
      ["Told", told(transfer)],
      ["Refer-To", transfer.refer_to && make("bdi", { class: "id" }, plain(transfer.refer_to, 1000))],
      ["Policy", rule],
      ["Asked by", { refer: "REFER", keys: "keys", command: "a command, or by HTTP" }[transfer.start]],
      ["Decided by", decided],
      ["Web service", asked],
      ["Would have", plain(transfer.would_have, 500)],
      ["On", plain(transfer.switch)],
      ["Call", transfer.call && (call ? make("a", { class: "id", href: `#call=${encodeURIComponent(call.id)}`, "data-key": "call" }, call.id) : make("span", { class: "id" }, plain(transfer.call)))],
      ["Id", make("span", { class: "id" }, plain(transfer.id))],
    ]),
    aboutSteps(transfer),
    aboutLadder(transfer),
  ].filter(Boolean);
}

function aboutParty(transfer, role, call) {
  const party = transfer[role] ?? {};
  const leg = call && Object.values(call.legs).find((each) => each.channel === party.channel && alive(each));
  return make("li", {},
    make("span", { class: "role" }, role),
    make("bdi", { class: "who" }, plain(number(transfer, role), 1000) || "–"),
    ...(leg ? [hangUpButton(leg)] : []),
    ...ids(party),
  );
}

const ids = ({ call_id, channel }) => [call_id, channel].filter(Boolean).map((id) => make("bdi", { class: "id" }, plain(id, 300)));

function aboutSteps(transfer) {
  const steps = transfer.steps?.length ? transfer.steps : (detail?.steps ?? []);
  if (!steps.length) return null;
  const begin = Date.parse(steps[0].at);
  return make("div", {}, make("h3", {}, "Steps"), make("ol", { class: "steps", role: "list" }, ...steps.map((step) =>
    make("li", {},
      make("time", { class: "at", datetime: plain(step.at), title: plain(step.at) }, `+${((Date.parse(step.at) - begin) / 1000).toFixed(3)} s`),
      make("span", {}, plain(step.what, 200)),
      make("span", { class: "state" }, plain(step.state, 300)),
    ))));
}

function aboutLadder(transfer) {
  if (ladder.of !== transfer.id || !ladder.source) return null;
  const alone = make("a", { href: `${API}transfers/${encodeURIComponent(transfer.id)}/ladder.svg`, target: "_blank", "data-key": "ladder" }, "SIP messages");
  const picture = make("img", { src: ladder.source, alt: `Ladder of the SIP messages of this transfer: ${words(transfer, outcome(transfer))}` });
  return make("div", { class: "ladder" }, make("h3", {}, alone), make("div", { tabindex: "0", role: "region", "aria-label": "Ladder" }, picture));
}

function aboutCall(call) {
  const mine = [...transfers.values()].filter((transfer) => transfer.call === call.id);
  return [
    make("ul", { class: "parties", "aria-label": "Parties" }, ...legs(call).map((leg) => make("li", {},
      make("span", { class: "role" }, standing(leg)),
      make("bdi", { class: "who" }, [plain(leg.number, 1000), plain(leg.name, 300)].filter(Boolean).join(", ") || "unknown"),
      ...(alive(leg) && leg.channel ? [hangUpButton(leg)] : []),
      ...ids(leg),
      make("span", { class: "id" }, [leg.outgoing ? "was called" : "has called", leg.dialled && `dialled ${plain(leg.dialled)}`, clock(leg.began)].filter(Boolean).join(", ")),
    ))),
    facts([
      ["Began", exact(call.began)],
      ["On", plain(call.switch)],
      ["Transfers", mine.length > 0 && make("span", {}, ...mine.map((transfer) => make("a", { href: `#transfer=${encodeURIComponent(transfer.id)}`, "data-key": transfer.id }, `${clock(transfer.began)} ${words(transfer, outcome(transfer))} `)))],
      ["Id", make("span", { class: "id" }, plain(call.id))],
    ]),
  ];
}

function facts(pairs) {
  const said = pairs.filter(([, value]) => value);
  return make("dl", { class: "facts" }, ...said.flatMap(([name, value]) => [make("dt", {}, name), make("dd", {}, value)]));
}

function hangUpButton(leg) {
  const name = called(leg);
  return make("button", { "aria-label": `Hang up ${name}`, "data-key": `hangup ${leg.channel}`, click: async () => {
    const sure = await ask(`Hang up ${name}?`, "FreeSWITCH ends this leg now. Whoever talks with it may be hung up with it.", "Hang up");
    if (sure !== null) await act("POST", `legs/${encodeURIComponent(leg.channel)}/hangup`, undefined, `${name} is hung up`);
  } }, "Hang up");
}

/** What only the database has of it, and its ladder, where there is one. */
async function enrich(id) {
  try {
    const { transfers: found } = await get(`transfers/${encodeURIComponent(id)}`);
    if (view.transfer !== id) return;
    detail = found[0] ? whole(found[0]) : false;
    if (detail && detail.id !== id) go({ transfer: detail.id });
  } catch {
    if (view.transfer === id) detail ??= false;
  }
  draw();
  const drawing = await request(`transfers/${encodeURIComponent(id)}/ladder.svg`).then((answer) => answer.text(), () => "");
  // As an image it can run nothing, and load nothing.
  ladder = { of: id, source: drawing && `data:image/svg+xml,${encodeURIComponent(drawing)}` };
  draw();
}

// -- the fragment says what is shown --------------------------------------------------------------

function go(changes, focus = false) {
  const opened = changes.transfer || changes.call;
  const next = { ...view, ...changes };
  const said = new URLSearchParams(Object.entries(next).filter(([, value]) => value));
  const address = `#${said}`;
  if (opened || changes.transfer === "") history.pushState(null, "", address);
  else history.replaceState(null, "", address);
  look();
  if (focus && opened) {
    render();
    $("detail-title").focus();
  }
}

function look() {
  const said = new URLSearchParams(location.hash.slice(1));
  const before = { ...view };
  for (const name of Object.keys(view)) view[name] = said.get(name) ?? "";
  if (view.transfer !== before.transfer) {
    [detail, ladder] = [null, { of: "", source: "" }];
    if (view.transfer) enrich(view.transfer);
  }
  if (view.number !== before.number || view.show !== before.show) paused = false;
  if (view.number !== before.number) {
    if (document.activeElement !== $("number")) $("number").value = view.number;
    find();
  }
  draw();
}

function close() {
  const [rows, id] = view.transfer ? [transferRows, view.transfer] : [callRows, view.call];
  go({ transfer: "", call: "" });
  render();
  if (!rows.focus(id) && !rows.focus()) $("number").focus();
}

// -- search ---------------------------------------------------------------------------------------

let typing = 0;

async function find() {
  const text = view.number;
  if (!text) return load(false).catch(() => {});
  const name = encodeURIComponent(text);
  const questions = [get(`transfers?limit=200&number=${name}`), get(`calls?limit=200&number=${name}`)];
  const isId = text.length >= 6 && !/^\+?\d+$|^\p{L}+$/u.test(text); // or a Call-ID: neither a number nor a word
  if (isId) questions.push(get(`transfers/${name}`));
  const [rows, going, one] = await Promise.allSettled(questions);
  if (view.number !== text) return;
  kept.clear();
  for (const each of [rows, one]) for (const row of each?.value?.transfers ?? []) kept.set(row.id, whole(row));
  for (const call of going.value?.calls ?? []) if (!calls.has(call.id) && !over.has(call.id)) calls.set(call.id, call);
  draw();
  const found = many(listed().length, "transfer");
  const failed = rows.status === "rejected" ? `; ${rows.reason.message}: only the latest were searched` : "";
  say(`${found}, ${many([...calls.values()].filter(callMatches).length, "call")} found${failed}`);
}

// -- the API --------------------------------------------------------------------------------------

class Refused extends Error {
  constructor(code, message) {
    super(message);
    this.code = code;
  }
}

const bearer = () => (sessionStorage.token ? { Authorization: `Bearer ${sessionStorage.token}` } : {});

async function request(path, options = {}) {
  const timeout = AbortSignal.timeout(15_000);
  const answer = await fetch(API + path, { signal: timeout, ...options, headers: { ...bearer(), ...options.headers } });
  setClock(Date.parse(answer.headers.get("Date") ?? ""));
  if (answer.ok) return answer;
  const said = await answer.json().catch(() => ({}));
  throw new Refused(answer.status, plain(said.error?.message ?? `HTTP ${answer.status}`, 300));
}

const get = async (path) => (await request(path)).json();

/** Have something done; says what has become of it. */
async function act(method, path, body, done) {
  for (let wrong = false; ; wrong = true) {
    if (!sessionStorage.token && !(await askToken(wrong))) return;
    try {
      await request(path, { method, body: body && JSON.stringify(body), headers: { "Content-Type": "application/json" } });
      return report(done);
    } catch (error) {
      if (error.code !== 401) return report(`Not done: ${error.message}`);
      delete sessionStorage.token;
    }
  }
}

function report(text) {
  if ($("operation").open) write($("done"), text);
  else say(text);
  write($("link-text"), text);
  setTimeout(() => link(document.body.dataset.link), 4000);
}

/** Ask in a dialog; returns what was typed ("" where nothing was to be), or null. */
function ask(title, text, yes, field = false) {
  const dialog = $("ask");
  if (dialog.open) return Promise.resolve(null);
  write($("ask-title"), title);
  write($("ask-text"), text);
  write($("ask-yes"), yes);
  $("ask-yes").classList.toggle("danger", !field);
  $("ask-field").hidden = !field;
  $("token").required = field;
  $("token").value = dialog.returnValue = "";
  dialog.showModal();
  (field ? $("token") : $("ask-no")).focus();
  settle(null);
  return new Promise((resolve) => (settle = resolve));
}

let settle = () => {};

$("ask").addEventListener("close", () => {
  if ($("ask").open) return; // news of the one before
  settle($("ask").returnValue === "yes" ? $("token").value.trim() : null);
  $("token").value = "";
});

async function askToken(wrong) {
  const why = wrong ? "That was not the token. " : "";
  const token = await ask("Token", `${why}It is the one in [http] token_file of fsctl's settings, and is kept in this tab until you close it.`, "Go on", true);
  if (token) sessionStorage.token = token;
  return Boolean(token);
}

// -- following ------------------------------------------------------------------------------------

/** Fetch all that there is; events go on from there. */
async function load(anew = true) {
  const [status, going, live, rows] = await Promise.all([
    get("status"),
    get("calls?limit=1000"),
    get("transfers?live=1&limit=1000"),
    get("transfers?limit=200").catch((error) => (error.code === 503 ? { transfers: [] } : Promise.reject(error))),
  ]);
  if (!view.number) {
    kept.clear();
    for (const row of rows.transfers) kept.set(row.id, whole(row));
  }
  if (!anew) return draw();
  for (const known of [calls, transfers, workers, over]) known.clear();
  for (const call of going.calls) calls.set(call.id, call);
  for (const transfer of live.transfers.reverse()) transfers.set(transfer.id, transfer);
  for (const worker of status.workers) workers.set(worker.pid, worker);
  last = Math.min(status.event, going.event, live.event);
  take(status);
  if (view.number) find();
}

function take(told) {
  if (told.problems.join() !== status.problems.join()) {
    say(told.problems.length ? `Not well: ${told.problems.map((each) => plain(each, 300)).join("; ")}` : "All is well again");
  }
  status = told;
  write($("version"), `fsctl ${plain(told.version)}`);
  draw();
}

const TAKE = {
  "call": (call) => calls.set(call.id, call),
  "call-over": (call) => {
    calls.delete(call.id);
    over.add(call.id);
    if (over.size > 5000) over.delete(over.values().next().value);
  },
  "transfer": (transfer) => {
    transfers.set(transfer.id, transfer);
    if (transfers.size > MOST_KNOWN) transfers.delete([...transfers.values()].find((each) => each.outcome)?.id);
    if (transfer.outcome && transfer.id === view.transfer) setTimeout(() => view.transfer === transfer.id && enrich(transfer.id), 1500);
  },
  "worker": (worker) => (worker.gone ? workers.delete(worker.pid) : workers.set(worker.pid, worker)),
};

/** One event; whether it is "fetch anew". */
function heard(block) {
  const fields = {};
  for (const line of block.split("\n")) {
    const [, name, value] = /^(\w*): ?(.*)$/.exec(line) ?? [];
    if (name) fields[name] = value;
  }
  if (fields.event === "reset") return true;
  const number = Number(fields.id);
  if (!fields.event || !(number > last)) return false;
  last = number;
  TAKE[fields.event]?.(JSON.parse(fields.data));
  missed += paused;
  draw();
  return false;
}

let wake = () => {}; // ends a pause between attempts
let hangUp = () => {}; // ends the stream

const rest = (ms) => new Promise((resolve) => {
  const timer = setTimeout(resolve, ms);
  wake = () => {
    clearTimeout(timer);
    resolve();
  };
});

/** Listen until the stream ends; unlike an EventSource it can say the token, and hears silence. */
async function listen(begun) {
  const gone = new AbortController();
  hangUp = () => gone.abort();
  let silence = setTimeout(hangUp, SILENT_MS);
  try {
    const answer = await request(`events?after=${last}`, { signal: gone.signal });
    begun();
    const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
    for (let text = ""; ; ) {
      const { value, done } = await reader.read();
      clearTimeout(silence);
      if (done) return;
      silence = setTimeout(hangUp, SILENT_MS);
      const blocks = (text + value).split("\n\n");
      text = blocks.pop();
      if (blocks.some(heard)) {
        last = null;
        return gone.abort();
      }
    }
  } finally {
    clearTimeout(silence);
  }
}

async function follow() {
  for (let failures = 0; ; ) {
    let began = 0;
    let why = "";
    try {
      if (last === null) await load();
      await listen(() => {
        began = Date.now();
        failures = 0;
        link("live");
      });
    } catch (error) {
      if (error.code === 401) {
        delete sessionStorage.token;
        if (await askToken(failures > 0)) {
          failures = 1;
          continue;
        }
      }
      if (error.code) why = `: ${error.message}`;
    }
    if (document.hidden) {
      link("asleep");
      await rest(2 ** 31 - 1);
      continue;
    }
    if (began && last === null) {
      await rest(200); // too many changes were missed: all is fetched anew
      continue;
    }
    if (Date.now() - began > 1000 && began) continue; // it was well until now: once more before it is said
    failures += 1;
    const seconds = Math.min(15, 2 ** (failures - 1));
    link("lost", `${why}. What is shown is from before. Next attempt in ${many(seconds, "second")}.`);
    await rest(seconds * 1000);
  }
}

const LINK = { live: "live", lost: "connection lost", asleep: "asleep", connecting: "connecting" };
let lostAt = 0;

function link(how, why = "") {
  const before = document.body.dataset.link;
  document.body.dataset.link = how;
  write($("link-text"), LINK[how]);
  if (how === "lost" && before !== "lost") {
    lostAt = Date.now();
    say("Connection lost");
  }
  if (how === "live" && before === "lost") say("Connected again");
  $("lost").hidden = how !== "lost";
  if (why) write($("lost-text"), `Connection lost at ${clock(lostAt)}${why}`);
}

let hiding = 0;

document.addEventListener("visibilitychange", () => {
  clearTimeout(hiding);
  if (document.hidden) hiding = setTimeout(() => hangUp(), HIDDEN_MS);
  else {
    ticked = Date.now();
    wake();
    draw();
  }
});
// Whoever has slept cannot know whether the stream has lived on.
document.addEventListener("resume", () => hangUp());
addEventListener("online", () => wake());

setInterval(() => {
  if (document.body.dataset.link === "live" && !document.hidden) get("status").then(take, () => {});
}, STATUS_MS);

// -- what the user does ---------------------------------------------------------------------------

function togglePause() {
  [paused, missed] = [!paused, 0];
  draw();
}

function operate() {
  write($("done"), "");
  write($("token-text"), sessionStorage.token ? "The token is kept in this tab" : "The token is asked for when it is needed");
  $("forget").hidden = !sessionStorage.token;
  $("operation").showModal();
}

$("search").addEventListener("submit", (event) => {
  event.preventDefault();
  transferRows.focus();
});
$("number").addEventListener("input", () => {
  clearTimeout(typing);
  typing = setTimeout(() => go({ number: $("number").value.trim() }), 200);
});
$("filters").addEventListener("click", (event) => {
  const button = event.target.closest("button");
  if (button) go({ show: button.dataset.show });
});
$("pause").addEventListener("click", togglePause);
$("operate").addEventListener("click", operate);
$("keys").addEventListener("click", () => $("help").showModal());
$("retry").addEventListener("click", () => wake());
$("close").addEventListener("click", close);
$("copy").addEventListener("click", async () => {
  const address = `${location.href.split("#")[0]}#${view.transfer ? "transfer" : "call"}=${encodeURIComponent(view.transfer || view.call)}`;
  await navigator.clipboard?.writeText(address).then(() => report("link copied"), () => report("the link is in the address bar"));
});
$("ask-no").addEventListener("click", () => $("ask").close(""));
$("set-level").addEventListener("click", () => {
  const level = $("level").value;
  act("PUT", "log-level", { level }, `The log's level is ${level} now`);
});
$("drain").addEventListener("click", async () => {
  const sure = await ask("Drain?", "fsctl takes no new calls from now on, and ends when those that go on have, or after drain_timeout_s. Nobody is cut. Whatever started it may start it anew.", "Drain");
  if (sure !== null) await act("POST", "drain", undefined, "It drains");
});
$("forget").addEventListener("click", () => {
  delete sessionStorage.token;
  operate.call($("operation").close());
});
$("letters").checked = localStorage.letters !== "off";
$("letters").addEventListener("change", () => (localStorage.letters = $("letters").checked ? "on" : "off"));

const KEYS = {
  "/": () => $("number").select(),
  "t": () => transferRows.focus(),
  "c": () => (view.transfer || view.call ? $("detail-title").focus() : callRows.focus()),
  "j": () => transferRows.focus(),
  "p": togglePause,
  "o": operate,
  "?": () => $("help").showModal(),
};

document.addEventListener("keydown", (event) => {
  if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey || document.querySelector("dialog[open]")) return;
  const typed = event.target.matches("input, select, textarea");
  if (event.key === "Escape") {
    if (event.target === $("number") && $("number").value) {
      $("number").value = "";
      go({ number: "" });
    } else if (view.transfer || view.call) close();
    else if (typed) transferRows.focus();
  } else if (!typed && $("letters").checked && Object.hasOwn(KEYS, event.key)) {
    event.preventDefault();
    KEYS[event.key]();
  }
});
addEventListener("popstate", look);
addEventListener("hashchange", look);

look();
follow();
