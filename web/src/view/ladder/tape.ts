/** The tape's rows, newest on top: a fixed number of lines whose text is written once a frame. */

import { direction, group } from "../../model/numbers";
import type { TapeRow } from "../../model/tape";

interface Line {
  element: HTMLElement;
  price: Text;
  priceHost: HTMLElement;
  qty: Text;
  qtyHost: HTMLElement;
  arrow: Text;
  mark: HTMLElement;
  drawn: string;
}

/** How a price is written, and what the mark of an own trade means. */
interface TapeWords {
  digits: (price: number) => string;
  own: string;
}

const MOST = 32;

export class TapeLines {
  readonly #lines: Line[];

  /** Builds the lines in `list`; only those that fit whole can be seen. */
  constructor(list: HTMLElement) {
    this.#lines = Array.from({ length: MOST }, () => newLine(list));
  }

  draw(rows: readonly TapeRow[], base: number, words: TapeWords): void {
    this.#lines.forEach((line, index) => drawLine(line, rows[index], base, words));
  }
}

function newLine(list: HTMLElement): Line {
  const element = document.createElement("li");
  const part = (tag: string, into: HTMLElement, cls = "") => {
    const made = into.appendChild(document.createElement(tag));
    if (cls) made.className = cls;
    return made;
  };
  const text = (host: HTMLElement) => host.appendChild(document.createTextNode(""));
  const left = part("span", element);
  const mark = part("span", left, "mine");
  const priceHost = part("span", left);
  const qtyHost = part("span", element);
  const qty = text(qtyHost);
  const arrow = text(part("i", qtyHost));
  element.hidden = true;
  list.append(element);
  return { element, mark, price: text(priceHost), priceHost, qty, qtyHost, arrow, drawn: "" };
}

function drawLine(line: Line, row: TapeRow | undefined, base: number, words: TapeWords): void {
  const { own } = words;
  const drawn = row === undefined ? "" : `${row.price} ${row.qty} ${row.taker} ${row.mine} ${base} ${own}`;
  if (drawn === line.drawn) return;
  line.drawn = drawn;
  line.element.hidden = row === undefined;
  if (row === undefined) return;
  line.price.data = words.digits(row.price);
  line.priceHost.className = direction(row.price, base);
  line.qty.data = `${group(row.qty)} `;
  line.arrow.data = row.taker === "buy" ? "▴" : row.taker === "sell" ? "▾" : "";
  line.qtyHost.className = row.taker === "buy" ? "up" : row.taker === "sell" ? "down" : "flat";
  line.mark.textContent = row.mine ? "◆ " : "";
  line.mark.title = row.mine ? own : "";
  line.element.className = row.mine ? "me" : "";
}
