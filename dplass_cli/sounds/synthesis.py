"""Building blocks of the sound classes: filters, noise, tones, envelopes and the placement of events.

Signals are float64 numpy arrays of shape (n_samples,), mono, of any level; times are in seconds, frequencies in Hz.
Filters process the whole clip with one FFT.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

Signal: TypeAlias = npt.NDArray[np.float64]
Response: TypeAlias = Callable[[Signal], npt.NDArray[np.complex128]]
"""Maps frequencies in Hz (float64 (bins,)) to the complex gain of a filter (complex128 (bins,))."""

_FFT_MULTIPLE = 4096
_HIGHEST = 0.45  # fraction of the sample rate; partials above it are left out, to avoid aliasing


def band(low: float, high: float, order: int = 3) -> Response:
    """Pass ``low`` to ``high`` Hz with slopes of 6·``order`` dB per octave on both sides (zero phase)."""

    def response(frequencies: Signal) -> npt.NDArray[np.complex128]:
        frequencies = np.maximum(frequencies, 1.0)
        below = (low / frequencies) ** (2 * order)
        above = (frequencies / high) ** (2 * order)
        return (1 / np.sqrt((1 + below) * (1 + above))).astype(np.complex128)

    return response


def resonances(
    centres: Sequence[float], bandwidths: Sequence[float], gains: Sequence[float] | None = None, floor: float = 0.0
) -> Response:
    """Sum of two-pole resonances (centres, bandwidths in Hz; linear peak gains) over a flat ``floor``."""
    gains = [1.0] * len(centres) if gains is None else gains

    def response(frequencies: Signal) -> npt.NDArray[np.complex128]:
        total = np.full(len(frequencies), floor, dtype=np.complex128)
        for centre, bandwidth, gain in zip(centres, bandwidths, gains, strict=True):
            damping = 1j * frequencies * bandwidth
            total += gain * damping / (centre**2 - frequencies**2 + damping + 1e-9)
        return total

    return response


def cascade(*responses: Response) -> Response:
    """Put filters one behind the other."""

    def response(frequencies: Signal) -> npt.NDArray[np.complex128]:
        total = np.ones(len(frequencies), dtype=np.complex128)
        for each in responses:
            total *= each(frequencies)
        return total

    return response


def unit(signal: Signal) -> Signal:
    """Scale ``signal`` to an RMS of 1 (silence stays silence)."""
    scaled: Signal = signal / (np.sqrt(np.mean(signal**2)) + 1e-12)
    return scaled


class SyntheticClip:
    """A clip to render: its methods make signals of its length, with one generator for everything random.

    Args:
        rng: the generator.
        n_samples: length of the clip.
        sample_rate: Hz.
    """

    def __init__(self, rng: np.random.Generator, n_samples: int, sample_rate: int) -> None:
        self.rng, self.n_samples, self.sample_rate = rng, n_samples, sample_rate

    def part(self, seconds: float) -> SyntheticClip:
        """A clip of another length with the same generator, such as for one event."""
        return SyntheticClip(self.rng, int(seconds * self.sample_rate), self.sample_rate)

    def uniform(self, low: float = 0.0, high: float = 1.0) -> float:
        """A random number between ``low`` and ``high``."""
        return self.rng.uniform(low, high)

    @property
    def seconds(self) -> float:
        """Its length in seconds."""
        return self.n_samples / self.sample_rate

    @property
    def time(self) -> Signal:
        """Times of the samples in seconds."""
        return np.arange(self.n_samples) / self.sample_rate

    @property
    def silence(self) -> Signal:
        """Zeros."""
        return np.zeros(self.n_samples)

    # --- filters and noise

    def filter_bank(self, signal: Signal, responses: Sequence[Response]) -> list[Signal]:
        """Filter ``signal`` by each of ``responses``."""
        # Zero padding keeps the tail of the filter from wrapping around to the start of the clip.
        size = -(-(len(signal) + self.sample_rate // 16) // _FFT_MULTIPLE) * _FFT_MULTIPLE
        spectrum = np.fft.rfft(signal, size)
        frequencies = np.fft.rfftfreq(size, 1 / self.sample_rate).astype(np.float64)
        filtered = (np.multiply(spectrum, response(frequencies)) for response in responses)
        return [np.fft.irfft(each, size)[: len(signal)] for each in filtered]

    def filtered(self, signal: Signal, response: Response) -> Signal:
        """Filter ``signal`` by ``response``."""
        return self.filter_bank(signal, [response])[0]

    def noise(self, response: Response) -> Signal:
        """Gaussian noise with the spectrum of ``response``, at an RMS of 1."""
        return unit(self.filtered(self.rng.standard_normal(self.n_samples), response))

    def crackle(self, rate: float, spread: float, response: Response) -> Signal:
        """Clicks as of :meth:`grains` through the filter ``response``, with an RMS near 1 and no peak above 6."""
        clicks = unit(self.filtered(self.grains(rate, spread), response))
        # Sparse clicks peak far above their RMS; bending the peaks down lets the quieter ones be heard.
        rounded: Signal = 6.0 * np.tanh(clicks / 6.0)
        return rounded

    def grains(self, rate: float, spread: float) -> Signal:
        """Clicks of one sample at random times, ``rate`` per second; log-normal sizes of at most 5."""
        count = max(1, self.rng.poisson(rate * self.n_samples / self.sample_rate))
        clicks = self.silence
        # The bound keeps one freak click from setting the level of the whole clip.
        sizes = np.minimum(self.rng.lognormal(0.0, spread, count), 5.0) * self.rng.choice((-1.0, 1.0), count)
        np.add.at(clicks, self.rng.integers(0, self.n_samples, count), sizes)
        return clicks

    # --- slow controls and envelopes

    def wander(self, rate: float, low: float, high: float) -> Signal:
        """A slow random curve between ``low`` and ``high`` that takes ``rate`` new values per second."""
        knots = int(self.seconds * rate) + 3
        # Without a random offset, all curves of a clip would bend at the same times.
        positions = self.time * rate + self.uniform()
        curve: Signal = np.interp(positions, np.arange(knots), self.rng.uniform(low, high, knots))
        return curve

    def contour(self, values: Sequence[float]) -> Signal:
        """A curve through ``values``, which are spread evenly over the clip."""
        curve: Signal = np.interp(np.linspace(0, 1, self.n_samples), np.linspace(0, 1, len(values)), values)
        return curve

    def steady(self, value: float) -> Signal:
        """A constant curve, for oscillators of constant pitch."""
        return np.full(self.n_samples, float(value))

    def strike(self, attack: float, decay: float) -> Signal:
        """Envelope of a struck object: rises with time constant ``attack`` and decays with ``decay`` (seconds)."""
        envelope: Signal = (1 - np.exp(-self.time / attack)) * np.exp(-self.time / decay)
        return envelope

    def plateau(self, attack: float, release: float) -> Signal:
        """Envelope that rises in ``attack`` seconds, stays at 1 and falls in the last ``release`` seconds."""
        ramp = np.minimum(self.time / attack, (self.seconds - self.time) / release)
        rounded: Signal = np.sin(0.5 * np.pi * np.clip(ramp, 0.0, 1.0)) ** 2
        return rounded

    def gate(self, starts: Signal, lengths: Signal | float, fade: float) -> Signal:
        """Envelope that is 1 within each event and 0 between; events (seconds) are in order and do not overlap."""
        if len(starts) == 0:
            return self.silence
        lengths = np.broadcast_to(np.asarray(lengths, dtype=np.float64), starts.shape)
        edge = np.minimum(fade, lengths / 2)
        corners = np.stack([starts, starts + edge, starts + lengths - edge, starts + lengths], axis=1)
        heights = np.tile([0.0, 1.0, 1.0, 0.0], len(starts))
        envelope: Signal = np.interp(self.time, np.maximum.accumulate(corners.ravel()), heights)
        return envelope

    # --- tones

    def phase_of(self, frequency: Signal) -> Signal:
        """Phase in radians of an oscillator that follows ``frequency`` (Hz)."""
        phase: Signal = np.cumsum(frequency) * (2 * np.pi / self.sample_rate)
        return phase

    def harmonic_tone(self, frequency: Signal, amplitudes: Sequence[float]) -> Signal:
        """Sum of harmonics of ``frequency`` (Hz), without those that would alias."""
        top = float(frequency.max())
        kept = [size for order, size in enumerate(amplitudes, 1) if order * top < _HIGHEST * self.sample_rate]
        phase = self.phase_of(frequency)
        # sin(k·phase) follows from the previous two harmonics, so one sine and one cosine are enough.
        twice_cosine = 2 * np.cos(phase)
        before, current = np.zeros_like(phase), np.sin(phase)
        total = np.zeros_like(phase)
        for size in kept:
            total += size * current
            before, current = current, twice_cosine * current - before
        return total

    def pulse_train(self, frequency: Signal, bandwidth: float) -> Signal:
        """Smooth pulses, one per period of ``frequency``, whose spectrum reaches to about ``bandwidth`` Hz."""
        reach = min(bandwidth, self.sample_rate / 6)
        sharpness = (reach / frequency) ** 2
        # The harmonics of exp(k·(cos x − 1)) decay like a Gaussian: narrow pulses without aliasing.
        pulses: Signal = np.exp(sharpness * (np.cos(self.phase_of(frequency)) - 1))
        pulses -= pulses.mean()
        return pulses

    def voice(self, frequency: Signal, breath: float, bandwidth: float = 3000.0) -> Signal:
        """Source of a voice, human or animal: pulses at ``frequency`` plus ``breath`` times noise; RMS about 1."""
        return unit(self.pulse_train(frequency, bandwidth)) + breath * self.rng.standard_normal(len(frequency))

    def modes(self, frequencies: Sequence[float], amplitudes: Sequence[float], decays: Sequence[float]) -> Signal:
        """Ringing of a struck body: decaying sines, each with its own time constant in seconds."""
        time, total = self.time, self.silence
        for frequency, amplitude, decay in zip(frequencies, amplitudes, decays, strict=True):
            if frequency < _HIGHEST * self.sample_rate:
                total += amplitude * np.exp(-time / decay) * np.sin(2 * np.pi * frequency * time)
        # A rise of half a millisecond avoids a click at the start.
        total *= np.minimum(time / 0.0005, 1.0)
        return total

    # --- events

    def onsets(self, period: float, jitter: float = 0.0) -> Signal:
        """Start times of events, the first close to 0; ``period`` apart, give or take ``jitter`` (a fraction of it)."""
        first = self.uniform(0.0, min(0.08, 0.5 * period))
        count = max(1, int(np.ceil((self.seconds - first) / period)))
        moved = np.arange(count) + jitter * self.rng.uniform(-0.5, 0.5, count)
        return np.maximum(first + period * moved, 0.0)

    def place(self, starts: Iterable[float], segments: Iterable[Signal]) -> Signal:
        """Add each segment at its start time (seconds), truncated at the end of the clip."""
        total = self.silence
        for start, segment in zip(starts, segments, strict=True):
            begin = int(start * self.sample_rate)
            room = max(0, self.n_samples - begin)
            total[begin : begin + len(segment)] += segment[:room]
        return total

    def repeat(self, starts: Signal, takes: Sequence[Signal], softest: float) -> Signal:
        """Place one of ``takes``, picked at random, at every start, with a gain between ``softest`` and 1.

        Two or three repeated takes sound like the same dog or door, and cost a fraction of rendering each event.
        """
        picks = self.rng.integers(0, len(takes), len(starts))
        gains = self.rng.uniform(softest, 1.0, len(starts))
        return self.place(starts, [gain * takes[pick] for pick, gain in zip(picks, gains, strict=True)])
