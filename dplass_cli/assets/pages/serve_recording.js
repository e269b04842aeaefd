// --- the recording

function choose(blob, name) {
  complain("", null, "wrong-file");
  complain("");
  if (recording) release(recording);
  recording = null;
  $("chosen").hidden = true;
  $("suggested").hidden = true;
  $("found").hidden = true;
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

// "What is in it?": the sounds that are found become the queries, and share the recording.
async function find() {
  complain("");
  if (!recording) return complain("Choose, drop or record a recording first.", $("file"));
  const mine = recording;
  $("find").disabled = true;
  tell("Listening…");
  try {
    const {sounds} = await ask("GET", `recordings/${await mine.ready}/sounds`);
    if (recording !== mine) return;
    if (!sounds.length) return tell("No sound that the model knows was found. Describe one in your own words.");
    $("queries").replaceChildren();
    for (const {sound} of sounds.slice(0, settings.queries)) addQuery(sound);
    $("consistent").checked = true;
    rememberQueries();
    tell(`Found: ${sounds.map(({sound, score, calibrated}) => calibrated ? `${sound} (${Math.round(100 * score)}%)` : sound).join("; ")}. Change the list, or press Separate.`);
  } catch (error) {
    $("found").hidden = true;
    if (recording === mine) complain(error.message);
  } finally {
    $("find").disabled = false;
  }
}

function tell(text) {
  $("found").textContent = text;
  $("found").hidden = false;
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
