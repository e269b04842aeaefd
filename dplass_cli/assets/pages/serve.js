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

// --- the recording

function choose(blob, name) {
  complain("", null, "wrong-file");
  complain("");
  if (recording) release(recording);
  recording = null;
  $("chosen").hidden = true;
  $("suggested").hidden = true;
  if (!blob.size) return complain(`${name} is empty.`, null, "wrong-file");
  if (blob.size > settings.bytes) {
    return complain(`${name} has ${(blob.size / 1e6).toFixed(1)} MB; the limit is ${$("limits").textContent}.`, null, "wrong-file");
  }
  const mine = recording = {name, blob, id: null, request: null, ready: null};
  present(name, blob.size < 1e5 ? `${Math.ceil(blob.size / 1000)} kB` : `${(blob.size / 1e6).toFixed(1)} MB`, blob);
  send(mine).catch(error => {
    if (recording !== mine || error.aborted) return;
    recording = null;
    $("chosen").hidden = true;
    complain(`${name}: ${error.message.replace(/^The recording: /, "")}`, null, "wrong-file");
  });
}

function present(name, size, blob = null) {
  URL.revokeObjectURL($("preview").src);
  $("preview").hidden = !blob;
  if (blob) $("preview").src = URL.createObjectURL(blob);
  $("chosen-name").textContent = name;
  $("chosen-size").textContent = size;
  $("chosen").hidden = false;
}

function send(mine) {
  mine.ready = (async () => {
    show("Sending", 0);
    try {
      const told = await ask("POST", `recordings?${new URLSearchParams({name: mine.name.slice(-255)})}`, {
        body: mine.blob,
        onProgress: fraction => { if (recording === mine) show("Sending", fraction); },
        started: request => { mine.request = request; },
      });
      mine.id = told.id;
      if (recording !== mine) release(mine);
      else accept(mine, told);
      return mine.id;
    } finally {
      if (recording === mine && !job) $("under-way").hidden = true;
    }
  })();
  return mine.ready;
}

function accept(mine, told) {
  $("chosen-size").textContent = [$("chosen-size").textContent, clock(told.seconds)].filter(Boolean).join(", ");
  remember({recording: {id: mine.id, name: mine.name}});
  announce(`Recording chosen: ${mine.name}`);
  ask("GET", `recordings/${mine.id}/suggestions`).then(
    found => { if (recording === mine) suggest(found.suggestions); },
    () => {}, // they are a convenience
  );
}

function release({id, request}) { // a recording that is no longer needed; jobs made of it are kept
  if (request) request.abort();
  if (id) ask("DELETE", `recordings/${id}`).catch(() => {}); // if this fails, it expires
}

function suggest(suggestions) {
  $("suggestions").replaceChildren(...suggestions.map(({sound}) => {
    const button = make("button", {type: "button", textContent: sound, className: "chip"});
    label(button, `Add ${sound}`);
    button.addEventListener("click", () => {
      const free = [...$("queries").querySelectorAll("input")].find(input => !input.value.trim());
      if (!free && $("add").disabled) return;
      const input = free || addQuery();
      input.value = sound;
      rememberQueries();
      announce(`Added: ${sound}`);
    });
    return button;
  }));
  $("suggested").hidden = !suggestions.length;
}

async function record() {
  if (recorder) return recorder.stop();
  complain("", null, "wrong-file");
  $("record").disabled = true; // until access to the microphone is granted or denied
  let stream;
  try { // without processing: what telephony filters remove cannot be separated
    const audio = {echoCancellation: false, noiseSuppression: false, autoGainControl: false};
    stream = await navigator.mediaDevices.getUserMedia({audio});
    recorder = new MediaRecorder(stream);
  } catch (error) {
    if (stream) stream.getTracks().forEach(track => track.stop());
    return complain(`The microphone cannot be used (${error.message}).`, null, "wrong-file");
  } finally {
    $("record").disabled = false;
  }
  const parts = [];
  const begun = Date.now();
  const tick = () => {
    const seconds = (Date.now() - begun) / 1000;
    $("clock").textContent = `Recording: ${clock(seconds)}`;
    if (seconds >= settings.seconds - 1 && recorder.state === "recording") recorder.stop();
  };
  const ticking = setInterval(tick, 250);
  recorder.ondataavailable = event => parts.push(event.data);
  recorder.onstop = () => {
    clearInterval(ticking);
    stream.getTracks().forEach(track => track.stop());
    $("clock").hidden = true;
    $("record").textContent = "Record";
    $("record").classList.remove("live");
    const kind = recorder.mimeType.split(/[/;]/)[1] || "webm";
    choose(new Blob(parts, {type: recorder.mimeType}), `recording.${kind}`);
    recorder = null;
  };
  recorder.start();
  tick();
  $("clock").hidden = false;
  $("record").textContent = "Stop recording";
  $("record").classList.add("live");
  announce("Recording");
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
  remember({queries: asked()});
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
  const post = async () => ask("POST", "jobs?" + new URLSearchParams([["recording", await given.ready], ...queries]));
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

// --- results

const mute = {recording: () => true, residual: (sound, kept) => !kept, removed: sound => sound.reduce_db === null};

function listen(told) {
  if (shown) shown.player.close();
  const folder = `jobs/${told.id}`;
  const player = new Player(told.sounds.map(sound => `${folder}/${sound.name}.wav`), told.seconds, told.sample_rate, () => {
    complain("The sounds cannot be loaded; they may have expired. Separate again.", null, "wrong-sound");
  });
  const kept = told.sounds.some(sound => sound.kind === "target" && !sound.removes.length);
  const controls = told.sounds.map(sound => ({
    sound,
    solo: sound.name === "1",
    muted: sound.kind === "target" ? kept && sound.removes.length > 0 : mute[sound.kind](sound, kept),
    gain: -(sound.reduce_db || 0),
  }));
  shown = {told, folder, player, controls};
  complain("", null, "wrong-sound");
  $("tracks").replaceChildren(...controls.map((control, index) => track(control, index)));
  $("seek").max = told.seconds;
  const format = $("format").value;
  $("format").replaceChildren(...told.formats.map(name => make("option", {textContent: name})));
  if (told.formats.includes(format)) $("format").value = format;
  $("results-title").textContent = told.name ? `Listen: ${told.name}` : "Listen";
  $("kept").textContent = `The files are kept for ${Math.round(settings.keepMinutes)} minutes after their last use.`;
  $("results").hidden = false;
  mixChanged();
  draw();
}

const KINDS = {recording: "The recording", residual: "Everything else"};

function title({kind, query, removes}) {
  if (kind in KINDS) return KINDS[kind];
  if (kind === "removed") return `Removed: ${query}`;
  return removes.length ? `The recording ${query.startsWith("less") ? "with " : ""}${query}` : query;
}

// What is known about a sound, one line each.
function notes(sound) {
  const lines = [];
  if (sound.understood) lines.push(sentence(`understood as ${sound.understood}`));
  const found = sound.presence ? [sound] : shown.told.sounds.filter(({name}) => sound.removes.includes(name));
  for (const {query, presence} of found) {
    if (!presence) continue;
    const what = sound.presence ? "Presence" : `Presence of ${query}`;
    const verdict = presence.score >= 0.5 ? "in the recording" : "probably not in the recording";
    lines.push(presence.calibrated
      ? `${what}: ${Math.round(100 * presence.score)}%, ${verdict}.`
      : `${what}: score ${presence.score.toFixed(2)} of 1, not calibrated for these models.`);
  }
  if (sound.clipped) lines.push(`${sound.clipped} samples above full scale were limited.`);
  return lines.map(text => make("p", {className: "soft", textContent: text}));
}

function toggle(text, name, pressed, change) {
  const button = label(make("button", {type: "button", textContent: text, className: "small toggle"}), `${text} ${name}`);
  button.setAttribute("aria-pressed", pressed);
  button.addEventListener("click", change);
  return button;
}

function track(control, index) {
  const {sound} = control;
  const {told, folder, player} = shown;
  const name = title(sound);
  control.soloButton = toggle("Solo", name, control.solo, () => solo(index, !control.solo));
  control.muteButton = toggle("Mute", name, control.muted, () => {
    control.muted = !control.muted;
    mixChanged();
  });
  const [least, most] = settings.gainDb;
  const gain = label(make("input", {type: "range", min: least, max: most, step: 0.5, value: control.gain}), `Gain of ${name}`);
  const shownGain = make("output", {className: "clock soft"});
  const gainChanged = () => {
    control.gain = Number(gain.value);
    shownGain.textContent = `${control.gain > 0 ? "+" : ""}${control.gain.toFixed(1)} dB`;
    gain.setAttribute("aria-valuetext", shownGain.textContent);
  };
  gain.addEventListener("input", () => { gainChanged(); mixChanged(); });
  gainChanged();
  control.link = label(make("a", {textContent: "Download"}), `Download ${name}`);

  const head = make("div", {className: "head"});
  const picture = make("div", {className: "spectrogram", tabIndex: 0},
    make("img", {src: `${folder}/${sound.name}.png`, alt: ""}), head, ...marks(told.sample_rate));
  label(picture, `Spectrogram of ${name}: position`, {role: "slider", "aria-valuemin": 0, "aria-valuemax": told.seconds.toFixed(1)});
  picture.addEventListener("click", event => {
    followSolo(index);
    player.seek(event.offsetX / picture.clientWidth * told.seconds);
    player.play();
    draw();
  });
  picture.addEventListener("keydown", event => {
    const to = moved(event, player.position, told.seconds);
    if (to !== null) player.seek(to);
    else if (event.key === " " || event.key === "Enter") {
      followSolo(index);
      playOrPause();
    } else return;
    event.preventDefault();
    draw();
  });
  control.place = (position, text) => {
    head.style.left = `${100 * position / told.seconds}%`;
    picture.setAttribute("aria-valuenow", position.toFixed(1));
    picture.setAttribute("aria-valuetext", text);
  };

  const warnings = sound.unknown.map(text => make("p", {className: "warning", textContent: sentence(text)}));
  return make("article", {className: "sound"},
    make("div", {className: "title"}, make("h3", {textContent: name}), control.link),
    ...warnings, ...notes(sound), picture,
    make("div", {className: "times soft clock"}, make("span", {textContent: "0:00"}), make("span", {textContent: clock(told.seconds)})),
    make("div", {className: "controls"}, control.soloButton, control.muteButton,
      make("label", {className: "gain"}, make("span", {textContent: "Gain"}), gain, shownGain)));
}

// Where a key moves the position to; null for other keys.
function moved({key, shiftKey}, position, seconds) {
  const step = shiftKey ? 10 : 1;
  const steps = {ArrowLeft: -step, ArrowDown: -step, ArrowRight: step, ArrowUp: step, PageDown: -10, PageUp: 10};
  if (key in steps) return position + steps[key];
  return {Home: 0, End: seconds}[key] ?? null;
}

function solo(index, on) {
  shown.controls.forEach((control, at) => { control.solo = on && at === index; });
  mixChanged();
}

// Who listens to one track and starts another one wants to hear that one.
function followSolo(index) {
  if (shown.controls.some(control => control.solo)) solo(index, true);
}

function audible() {
  const alone = shown.controls.find(control => control.solo);
  return alone ? [alone] : shown.controls.filter(control => !control.muted);
}

function mixChanged() {
  const {controls, player, folder} = shown;
  const heard = audible();
  controls.forEach((control, index) => {
    player.setLevel(index, heard.includes(control) ? 10 ** (control.gain / 20) : 0);
    control.soloButton.setAttribute("aria-pressed", control.solo);
    control.muteButton.setAttribute("aria-pressed", control.muted);
  });
  const format = $("format").value;
  const stem = controls[0].sound.file.replace(/_[^_]*$/, "");
  for (const {link, sound} of controls) {
    link.href = `${folder}/${sound.name}.${format}`;
    link.download = `${sound.file}.${format}`;
  }
  const gains = new URLSearchParams(heard.map(({sound, gain}) => ["gain", `${sound.name}:${gain}`]));
  if (heard.length) $("mix").href = `${folder}/mix.${format}?${gains}`;
  else $("mix").removeAttribute("href");
  $("mix").download = `${stem}_mix.${format}`;
  $("zip").href = `${folder}/all.zip?format=${format}`;
  $("zip").download = `${stem}.zip`;
}

function playOrPause() {
  const {player} = shown;
  complain("", null, "wrong-sound");
  if (player.playing) player.pause();
  else {
    $("preview").pause();
    player.play();
  }
  draw();
}

function draw() {
  if (!shown) return;
  const {player, controls, told} = shown;
  const {position} = player;
  const text = `${clock(position)} of ${clock(told.seconds)}`;
  if ($("position").textContent !== text) $("position").textContent = text;
  $("seek").value = position;
  $("seek").setAttribute("aria-valuetext", text);
  for (const control of controls) control.place(position, text);
  $("play").textContent = player.playing ? "Pause" : "Play";
  if (player.playing && !draw.scheduled) {
    draw.scheduled = true;
    requestAnimationFrame(() => { draw.scheduled = false; draw(); });
  }
}

// Frequency labels of a spectrogram, whose vertical axis is in mel.
function marks(sampleRate) {
  const mel = hertz => 2595 * Math.log10(1 + hertz / 700);
  const top = mel(Math.min(16000, sampleRate / 2));
  return [250, 1000, 4000, 12000].filter(hertz => mel(hertz) < top).map(hertz => {
    const mark = make("span", {textContent: hertz < 1000 ? `${hertz} Hz` : `${hertz / 1000} kHz`});
    mark.style.bottom = `${100 * mel(hertz) / top}%`;
    return mark;
  });
}

// --- earlier results

async function showEarlier() {
  const ids = remembered().jobs || [];
  const found = await Promise.all(ids.map(id => ask("GET", `jobs/${id}`).catch(error => (error.status ? null : {id, unknown: true}))));
  const alive = found.filter(told => told && told.state !== "failed");
  remember({jobs: alive.map(told => told.id)});
  const done = alive.filter(told => told.state === "done");
  $("earlier").replaceChildren(...done.map(earlier));
  $("history").hidden = !done.length;
  return alive;
}

function earlier(told) {
  const text = `${told.name || "recording"}: ${told.queries.join(", ")}`;
  const open = make("button", {type: "button", className: "plain", textContent: text});
  if (shown && shown.told.id === told.id) open.setAttribute("aria-current", "true");
  open.addEventListener("click", async () => {
    try {
      listen(await ask("GET", `jobs/${told.id}`));
    } catch (error) {
      complain(error.message);
    }
    remember({job: told.id});
    await showEarlier();
    $("results-title").focus();
  });
  const remove = label(make("button", {type: "button", className: "small", textContent: "×"}), `Delete the results of ${text}`);
  remove.addEventListener("click", async () => {
    await ask("DELETE", `jobs/${told.id}`).catch(() => {});
    remember({jobs: remembered().jobs.filter(id => id !== told.id)});
    if (shown && shown.told.id === told.id) {
      shown.player.close();
      shown = null;
      $("results").hidden = true;
    }
    await showEarlier();
    ($("history").hidden ? $("separate") : $("history-title")).focus();
  });
  return make("li", {}, open, remove);
}

// What was on the page before it was reloaded.
async function restore() {
  const {queries = [], recording: known, job: last} = remembered();
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
