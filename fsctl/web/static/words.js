// Calls and transfers in words. What others have chosen (numbers, names, phrases) passes `plain`.

const ROLES = ["transferor", "transferee", "target"];
const UNSEEN = /[\p{Cc}\p{Cf}\p{Co}\p{Cn}\p{Cs}\p{Zl}\p{Zp}]/gu;

/** Text that others have chosen: cut, and what is no visible character escaped. */
function plain(text, most = 80) {
  const said = String(text ?? "");
  const short = said.length > most ? `${said.slice(0, most)}…` : said;
  return short.replace(UNSEEN, (c) => `\\u{${c.codePointAt(0).toString(16)}}`);
}

const CLOCK = new Intl.DateTimeFormat([], { hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23" });
const DAY = new Intl.DateTimeFormat([], { day: "2-digit", month: "short" });
const EXACT = new Intl.DateTimeFormat([], { dateStyle: "medium", timeStyle: "medium", hourCycle: "h23" });
const exact = (text) => EXACT.format(Date.parse(text));

function clock(text) {
  const moment = new Date(text);
  if (Number.isNaN(+moment)) return "";
  const today = new Date(now()).toDateString() === moment.toDateString();
  return today ? CLOCK.format(moment) : `${DAY.format(moment)} ${CLOCK.format(moment).slice(0, 5)}`;
}

function lasting(ms) {
  if (!(ms >= 0)) return "";
  if (ms < 1000) return `${Math.round(ms)} ms`;
  if (ms < 60_000) return `${(ms / 1000).toFixed(1)} s`;
  return counting(ms);
}

function counting(ms) {
  const s = Math.max(0, Math.floor(ms / 1000));
  const [hours, minutes, seconds] = [Math.floor(s / 3600), Math.floor(s / 60) % 60, s % 60];
  const two = (number) => String(number).padStart(2, "0");
  if (hours > 23) return `${Math.floor(hours / 24)} d ${hours % 24} h`;
  return hours ? `${hours}:${two(minutes)}:${two(seconds)}` : `${minutes}:${two(seconds)}`;
}

let skew = 0; // the desk's clock less ours, ms
const now = () => Date.now() + skew;

/** What the desk's clock says now, ms since 1970; its answers are a second old at most. */
function setClock(date) {
  if (Math.abs(date - now()) > 2500) skew = date - Date.now();
}

const since = (text) => now() - Date.parse(text);
const many = (number, one, more = `${one}s`) => `${number.toLocaleString()} ${number === 1 ? one : more}`;

/** One that was kept, as one that goes on is: its parties are objects. */
function whole(row) {
  if (!("transferor_number" in row)) return row;
  const parties = ROLES.map((role) => [
    role,
    { channel: row[role], number: row[`${role}_number`], call_id: row[`${role}_call_id`] },
  ]);
  return { ...row, ...(row.details ?? {}), ...Object.fromEntries(parties), kept: true };
}

function asked(transfer) {
  const uri = /(?:sips?|tel):([^@;>?]+)/i.exec(transfer.refer_to ?? "");
  if (!uri) return transfer.refer_to || "";
  try {
    return decodeURIComponent(uri[1]);
  } catch {
    return uri[1];
  }
}

const number = (transfer, role) => transfer[role]?.number || (role === "target" ? asked(transfer) : "");
const named = (transfer, role) => plain(number(transfer, role), 40) || `the ${role}`;
const PHRASES = { 403: "Forbidden", 404: "Not Found", 408: "Request Timeout", 480: "Temporarily Unavailable", 486: "Busy Here", 487: "Request Terminated", 503: "Service Unavailable", 603: "Decline" };
const told = (transfer) => (transfer.code ? `${transfer.code} ${plain(transfer.reason)}`.trim() : "");

const STATES = {
  "": [1, "{target} was asked for"], // just now, or before this desk began
  "requested": [1, "being decided"],
  "seeking the dialog to replace": [1, "looking for the call with {target}"],
  "waiting for the target": [2, "waiting for {target}"],
  "calling target": [2, "calling {target}"],
  "calling the target anew": [2, "calling {target} again"],
  "target gone": [2, "{target} has gone"],
  "holding target": [3, "{target} has answered, not yet joined"],
  "vouched": [3, "{target} has answered, about to be joined"],
  "claiming the first two": [3, "about to be joined with {target}"],
  "answered": [3, "being joined with {target}"],
  "loopback gone": [3, "being joined with {target}"],
  "transferee comes home": [3, "being joined with {target}"],
  "joining": [3, "being joined with {target}"],
  "releasing": [4, "{transferee} talks with {target}"],
  "transferee taken": [3, "somebody else has taken {transferee}"],
  "reconnecting": [1, "{transferee} goes back to {transferor}"],
  "settling": [2, "FreeSWITCH transfers to {target}"],
};
const fill = (text, transfer) => text.replace(/\{(\w+)\}/g, (_, role) => named(transfer, role));
const stage = (transfer) => STATES[state(transfer)]?.[0] ?? 1;
const state = (transfer) => (transfer.state ?? "").split(",")[0];

/** How it stands, or why it has ended so; `how`: its outcome, "open", or "unknown". */
function words(transfer, how) {
  if (how === "open") return fill(STATES[state(transfer)]?.[1] ?? plain(state(transfer)), transfer);
  if (how === "unknown") return "its end is not known";
  if (how === "succeeded") return fill("connected to {target}", transfer);
  const cause = plain(transfer.cause, 300).replace(` (“${plain(transfer.reason)}”)`, "");
  const status = transfer.reason === PHRASES[transfer.code] ? transfer.code : told(transfer); // who needs to read "Forbidden"?
  return [status, cause].filter(Boolean).join(": ") || how;
}

const alive = (leg) => leg.state !== "disconnected";
const legs = (call) => Object.values(call.legs).sort((a, b) => alive(b) - alive(a) || (a.began < b.began ? -1 : 1));
const called = (leg) => plain(leg.number || leg.name || leg.dialled, 40) || "unknown";
const LEGS = { alerting: "calling", ringing: "ringing", connected: "talking", disconnected: "over" };
const standing = (leg) => LEGS[leg.state] ?? plain(leg.state);

function standingOf(call) {
  const states = legs(call).filter(alive).map((leg) => leg.state);
  return states.length ? standing({ state: states.find((each) => each !== "connected") ?? "connected" }) : "ending";
}

export { ROLES, alive, called, clock, counting, exact, lasting, legs, many, named, now, number, plain, setClock, since, stage, standing, standingOf, told, whole, words };
