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
