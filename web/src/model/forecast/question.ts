/** What the forecast is asked, and what it answers. */

import type {
  InstrumentState,
  Level,
  MarketRemainder,
  OrderType,
  OrderView,
  Phase,
  Side,
  TickBand,
  TimeInForce,
} from "../../api/types";
import type { Sentence } from "../messages";

/** An order as it is typed; a number is null where nothing was entered, or where the type has none. */
export interface Draft {
  side: Side;
  type: OrderType;
  timeInForce: TimeInForce;
  price: number | null;
  stop: number | null;
  qty: number | null;
}

/** The nearest prices at which a trade would interrupt now; null where none would. */
export type ViBounds = Pick<
  InstrumentState,
  "vi_dynamic_lower" | "vi_dynamic_upper" | "vi_static_lower" | "vi_static_upper"
>;

export interface Rules {
  phase: Phase;
  bands: readonly TickBand[];
  upper: number | null;
  lower: number | null;
  commissionPpm: number;
  /** The taxes on sells; each is floored on its own. */
  transactionTaxPpm: number;
  ruralTaxPpm: number;
  /** Shares of one order; 0 = no bound. */
  maxOrderQty: number;
  /** The same by the company's value; 0 = none. */
  maxQtyByValue: number;
  /** Quantities are multiples of it. */
  lotSize: number;
  /** The one price that orders may name while the phase is at a close (시간외종가), else null. */
  fixed: number | null;
  orderTypes: readonly OrderType[];
  immediateTypes: readonly OrderType[];
  /** What becomes of a market order's shares that find nobody. */
  remainder: MarketRemainder;
  /** 직전가: today's last trade's price, before it the base price; null without one. */
  previous: number | null;
  vi: ViBounds;
}

/** The best levels of our book; null while it is not known. `whole` = there are no deeper ones. */
export interface Depth {
  bids: readonly Level[];
  asks: readonly Level[];
  whole: boolean;
}

export interface Means {
  cash: number;
  /** Shares that a new sell may offer. */
  shares: number;
  /** Shares that open sells hold. */
  held: number;
}

/** The collecting auction: what it would give now, and when it ends. */
export interface AuctionNow {
  price: number | null;
  /** `15:30`; null where nobody knows. */
  time: string | null;
}

export interface Question {
  draft: Draft;
  rules: Rules;
  depth: Depth | null;
  means: Means;
  /** The order that is corrected instead of a new one entered. */
  amending?: OrderView | null;
  auction?: AuctionNow;
  /** While the market is shut: when orders are taken again. */
  opens?: { time: string; tomorrow: boolean } | null;
}

export type Kind =
  | "fill"
  | "rest"
  | "part"
  /** Accepted, but canceled unfilled. */
  | "none"
  | "auction"
  /** A stop order that waits for its price. */
  | "sleep"
  /** It would set off a volatility interruption, and wait in that auction with what is left of it. */
  | "interrupt"
  /** A quantity that only goes down: the place is kept. */
  | "keep"
  /** All that is open would be canceled. */
  | "cancel"
  | "refused"
  /** Nothing can be said yet: something is missing. */
  | "open";

/** What a fix changes in the draft. */
export type Patch = Partial<Draft>;

export interface Fix {
  label: Sentence;
  patch: Patch;
}

export type Field = "price" | "stop" | "qty" | "type" | "condition";

export interface Forecast {
  kind: Kind;
  /** The reason's code of a refusal, the same that the exchange would give. */
  reason: string | null;
  /** The input that it is about. */
  field: Field | null;
  sentence: Sentence;
  fixes: Fix[];
  /** Shares that could fill at once, and what they would amount to. */
  fillQty: number;
  fillAmount: number;
  /** Shares that would wait, and at which price; null where it has none, or moves and is not known. */
  restQty: number;
  restPrice: number | null;
  /** What would stand ahead of them; null where that is not known. */
  ahead: number | null;
}
