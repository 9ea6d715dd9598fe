/** The tokens' colours as the chart's canvas takes them. */

export interface Colours {
  sheet: string;
  line: string;
  edge: string;
  ink3: string;
  up: string;
  down: string;
  upBar: string;
  downBar: string;
  mineFill: string;
  mine: string;
}

/** Resolves `color-mix()` and `light-dark()` of a token by asking the browser to paint it. */
function resolver(): (token: string) => string {
  const probe = document.createElement("span");
  probe.hidden = true;
  document.body.append(probe);
  const canvas = document.createElement("canvas");
  canvas.width = canvas.height = 1;
  const pen = canvas.getContext("2d", { willReadFrequently: true });
  const resolve = (token: string) => {
    probe.style.color = `var(${token})`;
    const colour = getComputedStyle(probe).color;
    if (pen === null) return colour;
    pen.fillStyle = colour;
    pen.fillRect(0, 0, 1, 1);
    const [red, green, blue] = pen.getImageData(0, 0, 1, 1).data;
    return `rgb(${red}, ${green}, ${blue})`;
  };
  queueMicrotask(() => probe.remove());
  return resolve;
}

export function coloursNow(): Colours {
  const of = resolver();
  return {
    sheet: of("--sheet"),
    line: of("--line"),
    edge: of("--edge"),
    ink3: of("--ink-3"),
    up: of("--up"),
    down: of("--down"),
    upBar: of("--up-bar"),
    downBar: of("--down-bar"),
    mineFill: of("--mine-fill"),
    mine: of("--mine"),
  };
}
