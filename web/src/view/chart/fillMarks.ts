/** Own fills on the chart: a brass diamond below the candle, with its side and quantity. */

import type {
  IPrimitivePaneRenderer,
  IPrimitivePaneView,
  ISeriesPrimitive,
  SeriesAttachedParameter,
  Time,
} from "lightweight-charts";

export interface FillMark {
  /** The chart's time of the candle. */
  time: number;
  /** The candle's low. */
  low: number;
  text: string;
}

export interface MarkStyle {
  fill: string;
  ink: string;
  /** Drawn around the words, so that they can be read over candles. */
  ground: string;
  font: string;
}

/** Room on the right for the pills of own orders, in pixels. */
export const MARGIN = 104;

const BELOW = 7;
const SIZE = 5;

export class FillMarks implements ISeriesPrimitive<Time> {
  /** Called whenever the chart paints: what lies over it moves along. */
  painted: () => void = () => {};
  #marks: readonly FillMark[] = [];
  #style: MarkStyle = { fill: "", ink: "", ground: "", font: "" };
  #at: SeriesAttachedParameter<Time> | null = null;
  readonly #views: readonly IPrimitivePaneView[];

  constructor() {
    const renderer: IPrimitivePaneRenderer = {
      draw: (target) => target.useMediaCoordinateSpace(({ context }) => this.#draw(context)),
    };
    this.#views = [{ renderer: () => renderer, zOrder: () => "top" }];
  }

  attached(at: SeriesAttachedParameter<Time>): void {
    this.#at = at;
  }

  detached(): void {
    this.#at = null;
  }

  updateAllViews(): void {
    this.painted();
  }

  paneViews(): readonly IPrimitivePaneView[] {
    return this.#views;
  }

  set(marks: readonly FillMark[], style: MarkStyle): void {
    this.#marks = marks;
    this.#style = style;
    this.#at?.requestUpdate();
  }

  #draw(context: CanvasRenderingContext2D): void {
    if (this.#at === null) return;
    const { chart, series } = this.#at;
    context.font = this.#style.font;
    context.textBaseline = "middle";
    const margin = chart.timeScale().width() - MARGIN;
    let textEnd = Number.NEGATIVE_INFINITY;
    for (const mark of this.#marks) {
      const x = chart.timeScale().timeToCoordinate(mark.time as Time);
      const low = series.priceToCoordinate(mark.low);
      if (x === null || low === null) continue;
      const y = low + BELOW + SIZE;
      context.fillStyle = this.#style.fill;
      context.beginPath();
      context.moveTo(x, y - SIZE - 1);
      context.lineTo(x + SIZE, y);
      context.lineTo(x, y + SIZE + 1);
      context.lineTo(x - SIZE, y);
      context.fill();
      const width = context.measureText(mark.text).width;
      // Words stay out of the margin, which the pills have; and those of one mark do not lie over another's.
      const from = x + SIZE + 4 + width > margin ? x - SIZE - 4 - width : x + SIZE + 4;
      if (from < textEnd) continue;
      context.strokeStyle = this.#style.ground;
      context.lineWidth = 3;
      context.lineJoin = "round";
      context.strokeText(mark.text, from, y);
      context.fillStyle = this.#style.ink;
      context.fillText(mark.text, from, y);
      textEnd = from + width + 6;
    }
  }
}
