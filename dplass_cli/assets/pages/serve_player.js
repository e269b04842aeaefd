"use strict";

// Plays several wav files of one length in sync, streamed in parts, so that memory does not grow with their length.
// Media elements would drift apart; buffers that are scheduled on one clock do not.
class Player {
  static PART_SECONDS = 4;
  static AHEAD_SECONDS = 8;
  static DELAY_SECONDS = 0.08; // between the call of play() and the first sample

  constructor(addresses, seconds, sampleRate, onError) {
    this.seconds = seconds;
    this.onError = onError;
    this.playing = false;
    this.position_ = 0;
    this.sampleRate = sampleRate;
    this.tracks = addresses.map(address => ({address, gain: null, level: 1, layout: null}));
    this.generation = 0; // of scheduled parts: those of an older one are dropped
    this.sources = new Set();
  }

  // Seconds from the beginning.
  get position() {
    if (!this.playing) return this.position_;
    return Math.min(this.seconds, this.from + Math.max(0, this.context.currentTime - this.base));
  }

  setLevel(index, level) { // of amplitude
    const track = this.tracks[index];
    track.level = level;
    if (track.gain) track.gain.gain.setTargetAtTime(level, this.context.currentTime, 0.01); // without a click
  }

  async play() {
    if (this.playing) return;
    this.open();
    this.playing = true;
    if (this.position_ >= this.seconds - 0.05) this.position_ = 0;
    this.from = this.position_;
    this.base = Infinity;
    await this.context.resume();
    this.schedule(++this.generation);
  }

  pause() {
    if (!this.playing) return;
    this.position_ = this.position;
    this.stop();
    this.context.suspend();
  }

  seek(seconds) {
    const playing = this.playing;
    this.stop();
    this.position_ = Math.max(0, Math.min(this.seconds, seconds));
    if (playing) this.play();
  }

  close() {
    this.stop();
    if (this.context) this.context.close();
    this.context = null;
  }

  stop() {
    this.playing = false;
    this.generation++;
    for (const source of this.sources) source.stop();
    this.sources.clear();
  }

  open() {
    if (this.context) return;
    try { // at the recording's rate, parts join without resampling
      this.context = new AudioContext({sampleRate: this.sampleRate});
    } catch { // a rate that this browser does not support
      this.context = new AudioContext();
    }
    for (const track of this.tracks) {
      track.gain = this.context.createGain();
      track.gain.gain.value = track.level;
      track.gain.connect(this.context.destination);
    }
  }

  async schedule(generation) {
    const current = () => this.playing && generation === this.generation;
    try {
      await Promise.all(this.tracks.map(async track => { track.layout ??= await wavLayout(track.address); }));
      const {rate} = this.tracks[0].layout;
      const frames = Math.round(this.seconds * rate);
      let at = Math.round(this.from * rate);
      this.from = at / rate;
      while (current() && at < frames) {
        const count = Math.min(frames - at, Player.PART_SECONDS * rate);
        const parts = await Promise.all(this.tracks.map(track => wavPart(track, at, count, this.context)));
        if (!current()) return;
        const due = at / rate - this.from;
        const earliest = this.context.currentTime + Player.DELAY_SECONDS;
        if (this.base === Infinity) this.base = earliest - due;
        else if (this.base + due < this.context.currentTime) this.base = earliest - due; // the network was too slow
        parts.forEach((buffer, index) => this.start(buffer, this.tracks[index], this.base + due));
        at += count;
        while (current() && at / rate - this.position > Player.AHEAD_SECONDS) await pause(200);
      }
      while (current() && this.position < this.seconds) await pause(50);
      if (current()) {
        this.stop();
        this.position_ = 0;
        this.context.suspend();
      }
    } catch (error) {
      if (current()) {
        this.pause();
        this.onError(error);
      }
    }
  }

  start(buffer, track, when) {
    const source = this.context.createBufferSource();
    source.buffer = buffer;
    source.connect(track.gain);
    source.onended = () => this.sources.delete(source);
    source.start(when);
    this.sources.add(source);
  }
}

function pause(milliseconds) {
  return new Promise(resolve => setTimeout(resolve, milliseconds));
}

async function bytes(address, first, last) {
  const response = await fetch(address, {headers: {Range: `bytes=${first}-${last}`}});
  if (!response.ok) throw new Error(`${response.status}`);
  const content = await response.arrayBuffer();
  return response.status === 206 ? content : content.slice(first, last + 1); // a proxy may ignore ranges
}

// Where the samples of a wav file are, and what they are.
async function wavLayout(address) {
  const view = new DataView(await bytes(address, 0, 4095));
  const word = at => String.fromCharCode(...new Uint8Array(view.buffer, at, 4));
  const layout = {};
  for (let at = 12; at + 8 <= view.byteLength; at += 8 + view.getUint32(at + 4, true) + view.getUint32(at + 4, true) % 2) {
    if (word(at) === "fmt ") {
      layout.channels = view.getUint16(at + 10, true);
      layout.rate = view.getUint32(at + 12, true);
      layout.bytes = view.getUint16(at + 22, true) / 8;
      const kind = view.getUint16(at + 8, true);
      layout.float = (kind === 0xFFFE ? view.getUint16(at + 32, true) : kind) === 3;
    } else if (word(at) === "data") {
      return {...layout, offset: at + 8};
    }
  }
  throw new Error("not a wav file");
}

// The samples [at, at + count) of a track.
async function wavPart({address, layout}, at, count, context) {
  const size = layout.bytes * layout.channels;
  const content = await bytes(address, layout.offset + at * size, layout.offset + (at + count) * size - 1);
  const samples = layout.float ? new Float32Array(content) : integers(content, layout.bytes);
  const scale = layout.float ? 1 : 2 ** (1 - 8 * layout.bytes);
  const buffer = context.createBuffer(layout.channels, count, layout.rate);
  for (let channel = 0; channel < layout.channels; channel++) {
    const data = buffer.getChannelData(channel);
    for (let frame = 0; frame < count; frame++) data[frame] = scale * samples[frame * layout.channels + channel];
  }
  return buffer;
}

function integers(content, size) {
  if (size === 2) return new Int16Array(content);
  const view = new Uint8Array(content);
  const samples = new Int32Array(view.length / 3);
  for (let at = 0, from = 0; at < samples.length; at++, from += 3) {
    samples[at] = view[from] | view[from + 1] << 8 | view[from + 2] << 24 >> 8;
  }
  return samples;
}
