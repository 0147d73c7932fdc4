"use strict";
const EVERY = 5000;
const $ = (id) => document.getElementById(id);

function element(tag, text, kind) {
  const made = document.createElement(tag);
  if (text !== undefined) made.textContent = text;
  if (kind) made.className = kind;
  return made;
}

/* What is not known stands so, and is never 0. */
function figure(id, text) {
  const known = text !== null && text !== undefined;
  $(id).textContent = known ? text : "unknown";
  $(id).classList.toggle("unknown", !known);
}

function rows(id, list, none, make) {
  const made = list === null || list === undefined
    ? [element("p", "Unknown: it cannot be read now.", "unknown")]
    : list.length ? list.map(make) : [element("p", none, "quiet")];
  $(id).replaceChildren(...made);
}

function row(left, right, kind) {
  const made = element("div", undefined, "row");
  made.append(element("span", left), element("span", right, kind));
  return made;
}

const count = (number) => number.toLocaleString("en");
const percent = (share) => `${(100 * share).toFixed(1)} %`;
const seconds = (value) => {
  if (value === null) return null;
  if (value > 0 && value < 0.001) return "< 1 ms";
  return value < 1 ? `${Math.round(1000 * value)} ms` : `${value.toFixed(2)} s`;
};
const time = (text) => new Date(text).toLocaleString([], { dateStyle: "medium", timeStyle: "short" });

function dollars(text) {
  if (text === null || text === undefined) return null;
  const value = Number(text);
  if (value === 0) return "$0";
  const digits = Math.abs(value) >= 1 ? 2 : Math.min(8, 2 - Math.floor(Math.log10(Math.abs(value))));
  return `$${value.toLocaleString("en", { minimumFractionDigits: 2, maximumFractionDigits: digits })}`;
}

const WINDOWS = { day: "today", week: "this week", month: "this month" };
const STRATEGIES = { ab: "A/B", canary: "canary", blue_green: "blue/green", shadow: "shadow" };

function showTraffic(hour, day) {
  figure("requests", hour ? count(hour.requests) : null);
  $("requests-more").textContent = day ? `last hour · ${count(day.requests)} in 24 h` : "last hour";
  figure("failed", hour ? count(hour.failed) : null);
  const share = day && day.success.n ? 1 - day.success.value : null;
  $("failed-more").textContent = share === null ? "last hour" : `last hour · ${percent(share)} in 24 h`;
  $("failed").classList.toggle("bad", Boolean(hour && hour.failed));
  const window = hour && hour.p95 !== null ? hour : day;
  figure("p95", window ? seconds(window.p95) : null);
  $("p95-more").textContent = window === hour && hour ? "last hour" : "last 24 hours";
}

function showSpending(today) {
  figure("spent", today ? dollars(today.cost_usd) : null);
  $("spent-more").textContent = !today ? "" : `by ${today.of}` +
    (today.unpriced ? ` · ${count(today.unpriced)} without a price` : "");
}

function budget(each) {
  const made = element("div", undefined, "row");
  const [spent, most] = [Number(each.spent_usd), Number(each.budget_usd)];
  const bar = element("progress", undefined, "wide");
  bar.max = most || 1;
  bar.value = Math.min(spent, most || 1);
  bar.setAttribute("aria-label", `${each.scope}, ${WINDOWS[each.window]}`);
  const held = Number(each.held_usd) ? ` (+ ${dollars(each.held_usd)} held)` : "";
  const kind = spent >= most ? "bad" : spent >= 0.8 * most ? "fair" : "";
  made.append(element("span", `${each.scope}, ${WINDOWS[each.window]}`),
    element("span", `${dollars(each.spent_usd)}${held} of ${dollars(each.budget_usd)}`, kind), bar);
  return made;
}

function deployment(each) {
  const made = row(`${each.name} (${STRATEGIES[each.strategy] || each.strategy})`,
    Object.entries(each.percent || {}).map(([version, share]) => `${version} ${share} %`).join(" · "));
  const said = each.verdict || (each.reason ? `${each.action}: ${each.reason}` : `${each.action}, ${time(each.at)}`);
  made.append(element("span", said, "wide quiet"));
  return made;
}

function showHealth(health) {
  const kinds = { ready: "good", degraded: "fair", unusable: "bad" };
  $("status").textContent = health.status;
  $("status").className = `pill ${kinds[health.status] || ""}`;
  const parts = Object.entries(health.upstreams).map(([name, check]) => [name, check.state, check.seconds]);
  parts.push(["journal", health.journal.state, null], ["book", health.book.state, null]);
  rows("upstreams", parts, "None is configured.", ([name, state, took]) =>
    row(name, took === null ? state : `${state} · ${seconds(took)}`,
      state === "ok" ? "good" : state === "waiting" ? "" : "bad"));
}

function show(state) {
  const admin = !state.viewer || state.viewer.admin;
  showHealth(state.health);
  figure("open", state.open_calls === null ? null : count(state.open_calls));
  showTraffic(state.hour, state.day);
  showSpending(state.today);
  rows("budgets", state.budgets, admin ? "No budget is set." : "No budget is set for your key.", budget);
  rows("deployments", state.deployments, "None.", deployment);
  rows("alerts", state.alerts, "None.", (each) => row(each.sentence, time(each.at), "quiet"));
  $("reports-section").hidden = !admin;
  rows("reports", state.reports, "None yet.", (each) =>
    row(`${each.notebook}, ${each.logical_date}`, each.state, each.state === "completed" ? "good" : "bad"));
  $("viewer").textContent = state.viewer ? `${state.viewer.name}${state.viewer.admin ? " (admin)" : ""}` : "no keys yet";
  $("leave").hidden = !state.viewer;
  $("at").textContent = `As of ${time(state.at)}`;
  $("stale").hidden = true;
  document.body.dataset.shown = "yes";
}

async function renew() {
  try {
    const answer = await fetch("/dashboard.json", { cache: "no-store", credentials: "same-origin" });
    if (answer.status === 401) return location.reload();
    if (!answer.ok) throw new Error(answer.status);
    show(await answer.json());
  } catch (error) {
    $("stale").textContent = "The endpoint does not answer; what stands here may be old.";
    $("stale").hidden = false;
  }
  setTimeout(renew, document.hidden ? 6 * EVERY : EVERY);
}

renew();
