/** The candle chart: lightweight-charts behind a few words of ours. Times go in Korean, as the library knows only UTC. */

import {
  CandlestickSeries,
  ColorType,
  createChart,
  CrosshairMode,
  HistogramSeries,
  LineSeries,
  LineStyle,
  type IChartApi,
  type IPriceLine,
  type ISeriesApi,
  type MouseEventParams,
  type Time,
} from "lightweight-charts";
import type { Candle } from "../../model/candles";
import { movingAverage, newestAverage } from "./averages";
import type { Colours } from "./colours";
import { FillMarks, MARGIN, type FillMark } from "./fillMarks";

const KST_S = 9 * 3600;
const SHORT = 5;
const LONG = 20;
/** What is shown at least above and below the middle of the candles: a market that stands still has an axis, too. */
const LEAST = 0.004;
/** How far from the candles own orders may be and still be shown, where the candles do not reach so far themselves. */
const FAR = 0.015;

export const chartTime = (seconds: number) => (seconds + KST_S) as Time;

const FONT =
  'Pretendard, "Apple SD Gothic Neo", "Noto Sans KR", "Noto Sans CJK KR", "Malgun Gothic", system-ui, sans-serif';

export class ChartDrawing {
  readonly marks = new FillMarks();
  /** The candle under the pointer; null when there is none. */
  hovered: (candle: Candle | null) => void = () => {};
  /** The first candles came into sight. */
  reachedStart: () => void = () => {};
  readonly #chart: IChartApi;
  readonly #candles: ISeriesApi<"Candlestick">;
  readonly #volume: ISeriesApi<"Histogram">;
  readonly #short: ISeriesApi<"Line">;
  readonly #long: ISeriesApi<"Line">;
  #base: IPriceLine | null = null;
  #colours: Colours | null = null;
  #byTime = new Map<Time, Candle>();
  #wanted: readonly number[] = [];

  constructor(host: HTMLElement) {
    this.#chart = createChart(host, {
      autoSize: true,
      layout: { fontFamily: FONT, fontSize: 11, attributionLogo: false },
      crosshair: { mode: CrosshairMode.Normal },
      rightPriceScale: { minimumWidth: 66, scaleMargins: { top: 0.1, bottom: 0.22 }, borderVisible: true },
      timeScale: {
        timeVisible: true,
        secondsVisible: false,
        rightOffsetPixels: MARGIN,
        barSpacing: 6,
        minBarSpacing: 1,
      },
      handleScroll: { vertTouchDrag: false },
    });
    const quiet = { lastValueVisible: false, priceLineVisible: false, crosshairMarkerVisible: false } as const;
    this.#volume = this.#chart.addSeries(HistogramSeries, {
      ...quiet,
      priceScaleId: "volume",
      priceFormat: { type: "volume" },
    });
    this.#volume.priceScale().applyOptions({ scaleMargins: { top: 0.83, bottom: 0 } });
    this.#long = this.#chart.addSeries(LineSeries, { ...quiet, lineWidth: 2 });
    this.#short = this.#chart.addSeries(LineSeries, { ...quiet, lineWidth: 1, lineStyle: LineStyle.Dotted });
    this.#candles = this.#chart.addSeries(CandlestickSeries, {
      lastValueVisible: false,
      priceLineStyle: LineStyle.Dotted,
      priceFormat: { type: "price", precision: 0, minMove: 1 },
      autoscaleInfoProvider: (original: () => { priceRange: { minValue: number; maxValue: number } | null } | null) =>
        this.#reach(original()),
    });
    this.#candles.attachPrimitive(this.marks);
    this.#chart.subscribeCrosshairMove((event) => this.#hover(event));
    this.#chart.timeScale().subscribeVisibleLogicalRangeChange((range) => {
      if (range !== null && range.from < 5) this.reachedStart();
    });
  }

  destroy(): void {
    this.marks.painted = () => {};
    this.#chart.remove();
  }

  /** Also show these prices where they are not far from the candles. */
  show(prices: readonly number[]): void {
    this.#wanted = prices;
    // Asks the library to scale anew.
    this.#candles.applyOptions({});
  }

  setColours(colours: Colours, hollow: boolean): void {
    this.#colours = colours;
    const { up, down, line, ink3, sheet } = colours;
    this.#chart.applyOptions({
      layout: { background: { type: ColorType.Solid, color: sheet }, textColor: ink3 },
      grid: { vertLines: { color: line }, horzLines: { color: line } },
      rightPriceScale: { borderColor: line },
      timeScale: { borderColor: line },
      crosshair: {
        vertLine: { color: ink3, labelBackgroundColor: ink3, style: LineStyle.Dashed, width: 1 },
        horzLine: { color: ink3, labelBackgroundColor: ink3, style: LineStyle.Dashed, width: 1 },
      },
    });
    this.#candles.applyOptions({
      upColor: hollow ? sheet : up,
      downColor: down,
      borderUpColor: up,
      borderDownColor: down,
      wickUpColor: up,
      wickDownColor: down,
    });
    this.#short.applyOptions({ color: ink3 });
    this.#long.applyOptions({ color: colours.edge });
    this.#base?.applyOptions({ color: colours.edge });
    if (this.#byTime.size > 0) this.#volume.setData([...this.#byTime.values()].map((candle) => this.#bar(candle)));
  }

  /** How prices are written. The candles keep the venue's whole numbers, so the smallest step is 1. */
  setDigits(digits: (price: number) => string): void {
    this.#chart.applyOptions({ localization: { priceFormatter: (price: number) => digits(Math.round(price)) } });
  }

  setAverages(shown: boolean): void {
    this.#short.applyOptions({ visible: shown });
    this.#long.applyOptions({ visible: shown });
  }

  setDaily(daily: boolean): void {
    this.#chart.timeScale().applyOptions({ timeVisible: !daily });
  }

  /** All candles anew. `fresh`: another symbol or interval, so the newest come into sight. */
  setAll(candles: readonly Candle[], fresh: boolean): void {
    this.#byTime = new Map(candles.map((candle) => [chartTime(candle.time), candle]));
    this.#candles.setData(candles.map((candle) => ({ ...candle, time: chartTime(candle.time) })));
    this.#volume.setData(candles.map((candle) => this.#bar(candle)));
    for (const [series, length] of [[this.#short, SHORT] as const, [this.#long, LONG] as const]) {
      const points = movingAverage(candles, length);
      series.setData(points.map(({ time, value }) => ({ time: chartTime(time), value })));
    }
    if (fresh) this.toNewest();
  }

  /** The newest candles into sight, at the usual size. */
  toNewest(): void {
    this.#candles.priceScale().applyOptions({ autoScale: true });
    this.#chart.timeScale().resetTimeScale();
  }

  /** The newest candle has changed or is new. */
  grow(candles: readonly Candle[]): void {
    const last = candles.at(-1);
    if (last === undefined) return;
    const time = chartTime(last.time);
    this.#byTime.set(time, last);
    this.#candles.update({ ...last, time });
    this.#volume.update(this.#bar(last));
    for (const [series, length] of [[this.#short, SHORT] as const, [this.#long, LONG] as const]) {
      const point = newestAverage(candles, length);
      if (point !== null) series.update({ time, value: point.value });
    }
  }

  setBase(price: number | null): void {
    if (this.#base !== null) this.#candles.removePriceLine(this.#base);
    this.#base = null;
    if (price === null) return;
    this.#base = this.#candles.createPriceLine({
      price,
      color: this.#colours?.edge ?? "gray",
      lineWidth: 1,
      lineStyle: LineStyle.Dotted,
      axisLabelVisible: false,
      title: "",
    });
  }

  setLastColour(colour: string): void {
    this.#candles.applyOptions({ priceLineColor: colour });
  }

  setFills(marks: readonly FillMark[]): void {
    const { mineFill, mine, sheet } = this.#colours ?? { mineFill: "", mine: "", sheet: "" };
    this.marks.set(marks, { fill: mineFill, ink: mine, ground: sheet, font: `600 11px ${FONT}` });
  }

  /** Pixels from the top; null for a price that is out of sight. */
  y(price: number): number | null {
    return this.#candles.priceToCoordinate(price);
  }

  price(y: number): number | null {
    return this.#candles.coordinateToPrice(y);
  }

  get axisWidth(): number {
    return this.#chart.priceScale("right").width();
  }

  get axisHeight(): number {
    return this.#chart.timeScale().height();
  }

  #bar(candle: Candle) {
    const colour = candle.close >= candle.open ? this.#colours?.upBar : this.#colours?.downBar;
    return { time: chartTime(candle.time), value: candle.volume, color: colour ?? "transparent" };
  }

  #hover(event: MouseEventParams<Time>): void {
    this.hovered(event.time === undefined ? null : (this.#byTime.get(event.time) ?? null));
  }

  #reach<T extends { priceRange: { minValue: number; maxValue: number } | null } | null>(info: T): T {
    const range = info?.priceRange;
    if (!range) return info;
    const far = Math.max(range.maxValue - range.minValue, range.maxValue * FAR);
    const near = this.#wanted.filter((price) => price > range.minValue - far && price < range.maxValue + far);
    const middle = (range.minValue + range.maxValue) / 2;
    return {
      ...info,
      priceRange: {
        minValue: Math.min(range.minValue, middle * (1 - LEAST), ...near),
        maxValue: Math.max(range.maxValue, middle * (1 + LEAST), ...near),
      },
    };
  }
}
