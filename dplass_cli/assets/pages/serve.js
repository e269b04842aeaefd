"use strict";
const $ = id => document.getElementById(id);
const settings = JSON.parse($("settings").textContent);
const READ_BY_THE_SERVER = /\.(wav|wave|flac|ogg|oga|opus|mp3|aiff?|aifc|rf64)$/i;
const ASK_EVERY_MS = 400;
const TRIES = 5;
const DECODED_RATE = 48000; // Hz, what browsers mostly decode to

let recording = null; // {name, blob, decoded}: what to send, and whether the server can read it as it is
let job = null; // {id, request, ended} of the separation started last
let recorder = null;

// --- helpers

function make(tag, properties = {}, ...children) {
  const element = Object.assign(document.createElement(tag), properties);
  element.append(...children);
  return element;
}

function clock(seconds) {
  const whole = Math.round(seconds);
  return `${Math.floor(whole / 60)}:${String(whole % 60).padStart(2, "0")}`;
}

function complain(text, field = null) {
  $("wrong").textContent = text;
  $("wrong").hidden = !text;
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

// --- the recording

function choose(blob, name, decoded = false) {
  complain("");
  if (!blob.size) return complain(`${name} is empty.`);
  recording = {blob, name, decoded: decoded || READ_BY_THE_SERVER.test(name)};
  URL.revokeObjectURL($("preview").src);
  $("preview").hidden = false;
  $("preview").src = URL.createObjectURL(blob);
  $("chosen-name").textContent = name;
  $("chosen-size").textContent = blob.size < 1e5 ? `${Math.ceil(blob.size / 1000)} kB` : `${(blob.size / 1e6).toFixed(1)} MB`;
  $("chosen").hidden = false;
  announce(`Recording chosen: ${name}`);
}

// Decode a format that the server may not read (m4a, webm …) to a 16-bit wav.
async function decode(blob) {
  const context = new AudioContext();
  try {
    return wav(await context.decodeAudioData(await blob.arrayBuffer()));
  } finally {
    context.close();
  }
}

function wav(buffer) {
  const channels = Array.from({length: buffer.numberOfChannels}, (_, at) => buffer.getChannelData(at));
  const bytes = buffer.length * channels.length * 2;
  const view = new DataView(new ArrayBuffer(44 + bytes));
  const word = (at, text) => [...text].forEach((letter, on) => view.setUint8(at + on, letter.charCodeAt(0)));
  word(0, "RIFF"); view.setUint32(4, 36 + bytes, true); word(8, "WAVEfmt ");
  view.setUint32(16, 16, true); view.setUint16(20, 1, true); view.setUint16(22, channels.length, true);
  view.setUint32(24, buffer.sampleRate, true); view.setUint32(28, buffer.sampleRate * channels.length * 2, true);
  view.setUint16(32, channels.length * 2, true); view.setUint16(34, 16, true);
  word(36, "data"); view.setUint32(40, bytes, true);
  const samples = new Int16Array(view.buffer, 44);
  channels.forEach((channel, on) => {
    for (let at = 0; at < channel.length; at++) {
      samples[at * channels.length + on] = Math.round(Math.max(-1, Math.min(1, channel[at])) * 32767);
    }
  });
  return new Blob([view], {type: "audio/wav"});
}

async function record() {
  if (recorder) return recorder.stop();
  complain("");
  $("record").disabled = true; // until access to the microphone is granted or denied
  let stream;
  try { // without processing: what telephony filters remove cannot be separated
    const audio = {echoCancellation: false, noiseSuppression: false, autoGainControl: false};
    stream = await navigator.mediaDevices.getUserMedia({audio});
    recorder = new MediaRecorder(stream);
  } catch (error) {
    if (stream) stream.getTracks().forEach(track => track.stop());
    return complain(`The microphone cannot be used (${error.message}).`);
  } finally {
    $("record").disabled = false;
  }
  const parts = [];
  const begun = Date.now();
  const {channelCount = 2} = stream.getAudioTracks()[0].getSettings();
  const most = Math.min(settings.seconds, 0.99 * settings.bytes / (2 * channelCount * DECODED_RATE)); // recording stops slightly late
  const tick = () => {
    const seconds = (Date.now() - begun) / 1000;
    $("clock").textContent = `Recording: ${clock(seconds)}`;
    if (seconds >= most && recorder.state === "recording") recorder.stop();
  };
  const ticking = setInterval(tick, 250);
  recorder.ondataavailable = event => parts.push(event.data);
  recorder.onstop = async () => {
    clearInterval(ticking);
    stream.getTracks().forEach(track => track.stop());
    $("clock").hidden = true;
    $("record").textContent = "Record";
    $("record").classList.remove("recording");
    $("record").disabled = true;
    try {
      choose(await decode(new Blob(parts, {type: recorder.mimeType})), "recording.wav", true);
    } catch {
      complain("The recording is too short or could not be decoded; record again.");
    } finally {
      recorder = null;
      $("record").disabled = false;
    }
  };
  recorder.start();
  tick();
  $("clock").hidden = false;
  $("record").textContent = "Stop recording";
  $("record").classList.add("recording");
  announce("Recording");
}

// --- the queries

function addQuery(text = "") {
  const input = make("input", {type: "text", value: text, maxLength: Number($("queries").dataset.length)});
  input.placeholder = $("queries").children.length ? "rain falling" : "a dog barking";
  const remove = make("button", {type: "button", textContent: "Remove"});
  const item = make("li", {}, input, remove);
  remove.addEventListener("click", () => {
    const next = item.nextElementSibling || item.previousElementSibling;
    item.remove();
    numberQueries();
    next.querySelector("input").focus();
  });
  $("queries").append(item);
  numberQueries();
  return input;
}

function numberQueries() {
  const items = [...$("queries").children];
  items.forEach((item, at) => {
    item.querySelector("input").setAttribute("aria-label", `Sound ${at + 1}, in words`);
    item.querySelector("button").setAttribute("aria-label", `Remove sound ${at + 1}`);
    item.querySelector("button").hidden = items.length === 1;
  });
  $("add").disabled = items.length >= settings.queries;
}

// --- separating

async function separate(event) {
  event.preventDefault();
  complain("");
  const inputs = [...$("queries").querySelectorAll("input")];
  const queries = inputs.map(input => input.value.trim()).filter(Boolean);
  if (recorder) return complain(recorder.state === "recording" ? "Stop the recording first." : "The recording is being decoded; wait a moment.", $("record"));
  if (!recording) return complain("Choose, drop or record a recording first.", $("file"));
  if (!queries.length) return complain("Describe the sound that you want to hear, such as “a dog barking”.", inputs[0]);
  forget();
  const mine = job = {id: null, request: null, ended: false, name: recording.name};
  busy(true);
  $("results").hidden = true;
  try {
    await follow(mine, await send(mine, queries));
  } catch (error) {
    if (!mine.ended) complain(error.message);
  } finally {
    if (job === mine) busy(false);
  }
}

async function send(mine, queries) {
  show("Sending");
  announce("Sending");
  const given = recording;
  const {blob} = given;
  if (!given.decoded) {
    try {
      Object.assign(given, {blob: await decode(given.blob), decoded: true});
    } catch {
      given.decoded = true; // the server may be able to read it
    }
  }
  if (given.blob.size > settings.bytes) {
    const decoded = given.blob === blob ? "" : " after decoding";
    throw new Error(`The recording has ${(given.blob.size / 1e6).toFixed(1)} MB${decoded}; the limit is ${$("limits").textContent}.`);
  }
  if (mine.ended) throw new Error("cancelled");
  const told = await upload(mine, given.blob, queries);
  if (mine.ended) {
    discard(told.id);
    throw new Error("cancelled");
  }
  mine.id = told.id;
  return told;
}

function upload(mine, blob, queries) {
  return new Promise((resolve, reject) => {
    const request = mine.request = new XMLHttpRequest(); // reports upload progress, which fetch does not
    request.upload.onprogress = event => show("Sending", event.loaded / event.total);
    request.onload = () => {
      const said = answer(request.responseText);
      if (request.status === 202) resolve(said);
      else reject(new Error(sentence(said.error)));
    };
    request.onerror = () => reject(new Error("The server does not respond. Is dplass serve still running?"));
    request.onabort = () => reject(new Error("cancelled"));
    request.open("POST", "/jobs?" + new URLSearchParams(queries.map(query => ["query", query])));
    request.setRequestHeader("Content-Type", "application/octet-stream");
    request.send(blob);
  });
}

function answer(text) {
  try {
    return JSON.parse(text);
  } catch {
    return {error: "the server sent a response that is not JSON"};
  }
}

function sentence(text) {
  return text.charAt(0).toUpperCase() + text.slice(1) + ".";
}

async function follow(mine, told) {
  for (let failures = 0; !mine.ended;) {
    if (told.state === "failed") throw new Error(sentence(told.error));
    if (told.state === "done") {
      mine.ended = true;
      return listen(mine, told);
    }
    report(told);
    await new Promise(resolve => setTimeout(resolve, ASK_EVERY_MS));
    if (mine.ended) return;
    try {
      const response = await fetch(`/jobs/${mine.id}`);
      told = answer(await response.text());
      if (!response.ok) throw Object.assign(new Error(sentence(told.error)), {final: true});
      failures = 0;
    } catch (error) {
      if (error.final) throw error;
      if (++failures === TRIES) throw new Error("The server does not respond. Is dplass serve still running?");
    }
  }
}

const STEPS = {reading: "Reading the recording", analysing: "Analysing the recording", separating: "Separating", drawing: "Drawing spectrograms"};

function report(told) {
  if (told.state === "queued" && told.ahead) {
    const line = told.ahead === 1 ? "One recording is ahead of yours" : `${told.ahead} recordings are ahead of yours`;
    show(line);
    return announce(line);
  }
  const step = STEPS[told.step] || "Starting";
  const percent = Math.round(100 * told.fraction);
  show(percent ? `${step}, ${percent}%` : step, percent ? told.fraction : null);
  announce(percent >= 25 ? `${step}, ${25 * Math.floor(percent / 25)}%` : step);
}

// Drop the last job: its files are no longer needed.
function forget() {
  if (!job) return;
  job.ended = true;
  if (job.request) job.request.abort();
  if (job.id) discard(job.id);
  job = null;
}

function discard(id) { // keepalive: also sent while the page closes
  fetch(`/jobs/${id}`, {method: "DELETE", keepalive: true}).catch(() => {}); // if this fails, the job expires
}

function cancel() {
  forget();
  busy(false);
  complain("");
  announce("Cancelled");
  $("separate").focus();
}

// --- listening

function listen(mine, told) {
  const stem = mine.name.replace(/\.[^.]*$/, "");
  $("sounds").replaceChildren(...told.sounds.map(sound => card(sound, told, stem)));
  $("kept").textContent = `The files are kept for ${Math.round(settings.keepMinutes)} minutes after their last use.`;
  $("results").hidden = false;
  announce("Done");
  $("results-title").focus();
}

function card(sound, told, stem) {
  const title = {recording: "The recording", residual: "Everything else"}[sound.kind] || sound.query;
  const seconds = told.seconds;
  const audio = make("audio", {controls: true, preload: "metadata", src: sound.audio});
  audio.setAttribute("aria-label", title);
  const name = [stem, sound.kind === "target" ? sound.query : sound.kind].join("_").replace(/[^\p{L}\p{N}]+/gu, "_");
  const link = make("a", {href: sound.audio, download: `${name}.wav`, textContent: "Download wav"});
  link.setAttribute("aria-label", `Download ${title} as wav`);
  const head = make("div", {className: "head", hidden: true});
  const picture = make("div", {className: "spectrogram"},
    make("img", {src: sound.spectrogram, alt: `Spectrogram of ${title}`}), head, ...marks(told.sample_rate));
  const place = () => {
    head.hidden = !audio.currentTime;
    head.style.left = `${100 * audio.currentTime / seconds}%`;
  };
  const run = () => { place(); if (!audio.paused) requestAnimationFrame(run); };
  audio.addEventListener("play", run);
  audio.addEventListener("timeupdate", place);
  audio.addEventListener("error", () => complain("The sound cannot be loaded; it may have expired. Separate again."));
  picture.addEventListener("click", event => {
    for (const other of document.querySelectorAll("audio")) other.pause();
    audio.currentTime = event.offsetX / picture.clientWidth * seconds;
    audio.play();
  });
  const parts = [
    make("div", {className: "title"}, make("h3", {textContent: title}), link),
    picture,
    make("div", {className: "times"}, make("span", {textContent: "0:00"}), make("span", {textContent: clock(seconds)})),
    audio,
  ];
  if (sound.clipped) {
    parts.push(make("p", {className: "soft", textContent: `${sound.clipped} samples above full scale were limited.`}));
  }
  return make("article", {className: "sound"}, ...parts);
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

// Play one sound at a time; the next one continues at the position of the last.
document.addEventListener("play", event => {
  for (const audio of document.querySelectorAll("audio")) {
    if (audio === event.target || audio.paused) continue;
    if ($("sounds").contains(audio) && $("sounds").contains(event.target)) event.target.currentTime = audio.currentTime;
    audio.pause();
  }
}, true);

// --- events

$("limits").textContent = `${settings.bytes / 1e6} MB and ${+(settings.seconds / 60).toFixed(1)} minutes`;
$("form").addEventListener("submit", separate);
$("cancel").addEventListener("click", cancel);
$("add").addEventListener("click", () => addQuery().focus());
$("preview").addEventListener("error", () => { $("preview").hidden = true; }); // a format that this browser does not play
$("file").addEventListener("change", () => {
  if ($("file").files.length) choose($("file").files[0], $("file").files[0].name);
  $("file").value = ""; // so that choosing the same file again fires the event
});
$("example").addEventListener("click", async () => {
  try {
    const response = await fetch("/example.wav");
    if (!response.ok) throw new Error(response.statusText);
    choose(await response.blob(), "dog in the rain.wav");
  } catch (error) {
    return complain(`The example cannot be loaded (${error.message}).`);
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
  else complain("Drop an audio file.");
});
for (const kind of ["dragover", "drop"]) window.addEventListener(kind, event => event.preventDefault()); // also outside the drop area, where the browser would open the file
window.addEventListener("pagehide", event => { if (!event.persisted) forget(); });
addQuery();
