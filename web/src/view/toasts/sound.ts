/** The sound of a fill: two short notes, made here. Up for a buy, down for a sell. It is never the only sign. */

import type { Side } from "../../api/types";

const NOTES: Record<Side, readonly [number, number]> = { buy: [660, 880], sell: [880, 660] };
const LENGTH_S = 0.09;

let context: AudioContext | null = null;

export function playFill(side: Side): void {
  // Before the first gesture on the page a browser lets nothing sound.
  if (!navigator.userActivation?.hasBeenActive) return;
  context ??= new AudioContext();
  const begin = context.currentTime + 0.01;
  NOTES[side].forEach((frequency, index) => {
    if (context === null) return;
    const tone = context.createOscillator();
    const gain = context.createGain();
    const at = begin + index * LENGTH_S;
    tone.frequency.value = frequency;
    gain.gain.setValueAtTime(0, at);
    gain.gain.linearRampToValueAtTime(0.12, at + 0.01);
    gain.gain.exponentialRampToValueAtTime(0.001, at + LENGTH_S * 1.6);
    tone.connect(gain).connect(context.destination);
    tone.start(at);
    tone.stop(at + LENGTH_S * 2);
  });
}
