const $ = id => document.getElementById(id);
const settings = JSON.parse($("settings").textContent);
const ASK_EVERY_MS = 400;
const TRIES = 5;
const MOST_EARLIER = 12;
const STORE = `dplass ${location.pathname}`; // several pages may be below one origin
const NO_ANSWER = "The server does not respond. Is dplass serve still running?";

let recording = null; // {name, blob, id, request, ready}: the one to separate; ready: a promise of its id on the server
let job = null; // {id, ended}: the one whose progress is shown
let shown = null; // {player, controls, told}: the results on the page
let recorder = null;

// --- helpers

function make(tag, properties = {}, ...children) {
  const element = Object.assign(document.createElement(tag), properties);
  element.append(...children);
  return element;
}

function label(element, text, attributes = {}) {
  element.setAttribute("aria-label", text);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  return element;
}

function clock(seconds) {
  const whole = Math.round(seconds);
  return `${Math.floor(whole / 60)}:${String(whole % 60).padStart(2, "0")}`;
}

function complain(text, field = null, where = "wrong") {
  $(where).textContent = text;
  $(where).hidden = !text;
  if (field) field.focus();
}

function announce(text) { // to screen readers, without repeating the same text
  if ($("status").textContent !== text) $("status").textContent = text;
}

function show(text, fraction = null) {
  $("under-way").hidden = false;
  $("doing").textContent = text;
  if (fraction === null) $("bar").removeAttribute("value");
  else $("bar").value = fraction;
}

function busy(is) {
  $("separate").disabled = is;
  $("cancel").hidden = !is;
  if (!is) $("under-way").hidden = true;
}

function sentence(text) {
  return text.charAt(0).toUpperCase() + text.slice(1) + (/[.?!]$/.test(text) ? "" : ".");
}

// Send a request; its answer, or an error with the server's message and its status. Addresses are relative to the page.
function ask(method, address, {body = null, onProgress = null, started = () => {}} = {}) {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest(); // reports the progress of uploads, which fetch does not
    if (onProgress) request.upload.onprogress = event => onProgress(event.loaded / event.total);
    request.onload = () => {
      let said;
      try {
        said = request.responseText ? JSON.parse(request.responseText) : {};
      } catch {
        said = {error: request.status === 413
          ? "the upload is too large for the proxy in front of the server; its owner can raise the limit (client_max_body_size in nginx)"
          : `status ${request.status}, and no answer of dplass serve; check the proxy in front of it`};
      }
      if (request.status < 300) resolve(said);
      else reject(Object.assign(new Error(sentence(said.error || `status ${request.status}`)), {status: request.status}));
    };
    request.onerror = () => reject(new Error(NO_ANSWER));
    request.onabort = () => reject(Object.assign(new Error("Cancelled."), {aborted: true}));
    request.open(method, address);
    if (body) request.setRequestHeader("Content-Type", "application/octet-stream");
    request.send(body);
    started(request);
  });
}

// --- what survives a reload

function remembered() {
  try {
    return JSON.parse(localStorage.getItem(STORE)) || {};
  } catch {
    return {};
  }
}

function remember(changes) {
  try {
    localStorage.setItem(STORE, JSON.stringify({...remembered(), ...changes}));
  } catch {
    // storage is turned off: nothing survives
  }
}

// --- the queries

function addQuery(text = "", wish = "query") {
  const select = make("select", {}, make("option", {value: "query", textContent: "Keep"}), make("option", {value: "remove", textContent: "Remove"}));
  select.value = wish;
  const input = make("input", {type: "text", value: text, maxLength: Number($("queries").dataset.length), autocomplete: "off"});
  input.setAttribute("list", "kinds");
  input.placeholder = $("queries").children.length ? "rain falling" : "a dog barking";
  const remove = make("button", {type: "button", textContent: "×", className: "small"});
  const item = make("li", {}, select, input, remove);
  item.addEventListener("change", rememberQueries);
  remove.addEventListener("click", () => {
    const next = item.nextElementSibling || item.previousElementSibling;
    item.remove();
    numberQueries();
    rememberQueries();
    next.querySelector("input").focus();
  });
  $("queries").append(item);
  numberQueries();
  return input;
}

function numberQueries() {
  const items = [...$("queries").children];
  items.forEach((item, at) => {
    label(item.querySelector("select"), `Keep or remove sound ${at + 1}`);
    label(item.querySelector("input"), `Sound ${at + 1}, in words`);
    label(item.querySelector("button"), `Delete sound ${at + 1} from the list`);
    item.querySelector("button").hidden = items.length === 1;
  });
  $("add").disabled = items.length >= settings.queries;
}

function asked() { // [[parameter, text]], without empty ones
  const items = [...$("queries").children];
  return items.map(item => [item.querySelector("select").value, item.querySelector("input").value.trim()]).filter(([, text]) => text);
}

function rememberQueries() {
  remember({queries: asked(), consistent: $("consistent").checked});
}

// --- separating

async function separate(event) {
  event.preventDefault();
  complain("");
  const queries = asked();
  if (recorder) return complain("Stop the recording first.", $("record"));
  if (!recording) return complain("Choose, drop or record a recording first.", $("file"));
  if (!queries.length) return complain("Describe a sound, such as “a dog barking”.", $("queries").querySelector("input"));
  rememberQueries();
  const mine = job = {id: null, ended: false};
  busy(true);
  try {
    const told = await create(mine, queries);
    if (mine.ended) return discard(told.id);
    mine.id = told.id;
    remember({job: mine.id, jobs: [mine.id, ...(remembered().jobs || [])].slice(0, MOST_EARLIER)});
    await follow(mine, told);
  } catch (error) {
    if (!mine.ended) complain(error.message);
  } finally {
    end(mine);
  }
}

function end(mine) {
  mine.ended = true;
  if (job !== mine) return;
  job = null;
  busy(false);
}

async function create(mine, queries) {
  const given = recording;
  show("Sending");
  announce("Sending");
  const post = async () => ask("POST", "jobs?" + new URLSearchParams([
    ["recording", await given.ready], ...queries, ...($("consistent").checked ? [["consistent", "true"]] : []),
  ]));
  try {
    return await post();
  } catch (error) {
    if (error.status !== 404 || !given.blob || mine.ended) throw error;
    send(given); // it has expired meanwhile
    return post();
  }
}

async function follow(mine, told) {
  for (let failures = 0; !mine.ended;) {
    if (told.state === "failed") throw new Error(sentence(told.error));
    if (told.state === "done") {
      end(mine);
      listen(told);
      announce("Done");
      $("results-title").focus();
      return showEarlier();
    }
    report(told);
    await pause(ASK_EVERY_MS);
    if (mine.ended) return;
    try {
      told = await ask("GET", `jobs/${mine.id}`);
      failures = 0;
    } catch (error) {
      if (error.status || ++failures === TRIES) throw error;
    }
  }
}

const STEPS = {reading: "Reading the recording", analysing: "Analysing", separating: "Separating", drawing: "Drawing spectrograms"};

function report(told) {
  if (told.state === "queued" && told.ahead) {
    const line = told.ahead === 1 ? "One recording is ahead of yours" : `${told.ahead} recordings are ahead of yours`;
    show(line);
    return announce(line);
  }
  const step = STEPS[told.step] || "Starting";
  const percent = Math.round(100 * told.progress);
  const left = told.seconds_left === null ? `${percent}%` : `about ${clock(Math.max(1, told.seconds_left))} left`;
  show(`${step}, ${left}`, told.progress);
  announce(percent >= 25 ? `${step}, ${25 * Math.floor(percent / 25)}%` : step);
}

function discard(id) {
  ask("DELETE", `jobs/${id}`).catch(() => {}); // if this fails, the job expires
}

function cancel() {
  const mine = job;
  end(mine);
  if (mine.id) discard(mine.id);
  complain("");
  announce("Cancelled");
  $("separate").focus();
}

// --- what was there before

// What was on the page before it was reloaded.
async function restore() {
  const {queries = [], consistent = false, recording: known, job: last} = remembered();
  $("consistent").checked = consistent;
  for (const [wish, text] of queries.slice(0, settings.queries)) addQuery(text, wish);
  if (!queries.length) addQuery();
  if (known) {
    ask("GET", `recordings/${known.id}`).then(told => {
      if (recording) return;
      recording = {...known, blob: null, request: null, ready: Promise.resolve(known.id)};
      present(known.name, "");
      accept(recording, told);
    }, () => {}); // it has expired
  }
  const alive = await showEarlier();
  const told = alive.find(({id}) => id === last);
  if (!told || told.unknown || job || shown) return;
  if (told.state === "done") {
    listen(told);
    return showEarlier();
  }
  const mine = job = {id: told.id, ended: false};
  busy(true);
  follow(mine, told).catch(error => { if (!mine.ended) complain(error.message); }).finally(() => end(mine));
}

// --- events

$("limits").textContent = `${settings.bytes / 1e6} MB and ${+(settings.seconds / 60).toFixed(1)} minutes`;
$("form").addEventListener("submit", separate);
$("cancel").addEventListener("click", cancel);
$("add").addEventListener("click", () => addQuery().focus());
$("find").addEventListener("click", find);
$("consistent").addEventListener("change", rememberQueries);
$("play").addEventListener("click", playOrPause);
$("seek").addEventListener("input", () => { shown.player.seek(Number($("seek").value)); draw(); });
$("format").addEventListener("change", mixChanged);
$("preview").addEventListener("error", () => { $("preview").hidden = true; }); // a format that this browser does not play
$("preview").addEventListener("play", () => { if (shown && shown.player.playing) playOrPause(); });
$("file").addEventListener("change", () => {
  if ($("file").files.length) choose($("file").files[0], $("file").files[0].name);
  $("file").value = ""; // so that choosing the same file again fires the event
});
$("example").addEventListener("click", async () => {
  try {
    const response = await fetch("example.wav");
    if (!response.ok) throw new Error(response.statusText);
    choose(await response.blob(), "dog in the rain.wav");
  } catch (error) {
    return complain(`The example cannot be loaded (${error.message}).`, null, "wrong-file");
  }
  const input = $("queries").querySelector("input");
  if (!input.value.trim()) input.value = "a dog barking";
});
if (navigator.mediaDevices && window.MediaRecorder) $("record").addEventListener("click", record);
else Object.assign($("record"), {disabled: true, title: "Browsers allow recording only on localhost or over https"});
const drop = $("drop");
drop.addEventListener("dragover", event => { event.preventDefault(); drop.classList.add("over"); });
drop.addEventListener("dragleave", () => drop.classList.remove("over"));
drop.addEventListener("drop", event => {
  event.preventDefault();
  drop.classList.remove("over");
  const [file] = event.dataTransfer.files;
  if (file) choose(file, file.name);
  else complain("Drop an audio file.", null, "wrong-file");
});
for (const kind of ["dragover", "drop"]) window.addEventListener(kind, event => event.preventDefault()); // also outside the drop area, where the browser would open the file
restore();
