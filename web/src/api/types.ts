/** The exchange's JSON, as `onseju/contract/views.py` and the gateway's answers make it. Prices in the venue's smallest unit. */

export type Side = "buy" | "sell";
export type OrderType =
  "limit" | "market" | "conditional_limit" | "best_opposite" | "best_same" | "midpoint" | "stop_limit" | "stop";
export type TimeInForce = "day" | "ioc" | "fok";
export type OrderStatus = "new" | "partially_filled" | "filled" | "canceled" | "rejected" | "expired";
export type Liquidity = "maker" | "taker" | "auction";
export type Phase =
  | "pre_open"
  | "opening_auction"
  | "continuous"
  | "closing_auction"
  | "vi_auction"
  | "closed"
  | "halted"
  | "after_hours"
  | "resumption_auction";

/** Why an instrument is in its phase though the day's plan does not say so. */
export type PhaseReason = "vi_dynamic" | "vi_static" | "circuit_breaker" | (string & {});
/** What becomes of a market order's shares that find nobody (`MarketRemainder`). */
export type MarketRemainder = "cancel" | "rest" | "float";

export interface TickBand {
  from_price: number;
  tick: number;
}

/** How an instrument stands now: a row of the `market` channel, and part of every row of `/v1/symbols`. */
export interface InstrumentState {
  symbol: string;
  phase: Phase;
  phase_since: string | null;
  /** The nominal end of the present phase. */
  phase_until: string | null;
  phase_reason: PhaseReason | null;
  /** What the auction would give now. */
  indicative_price: number | null;
  indicative_qty: number | null;
  /** Today's volatility interruptions. */
  vi_count: number;
  /** Prices from which a trade would interrupt now; null where none would. */
  vi_static_lower: number | null;
  vi_static_upper: number | null;
  vi_dynamic_lower: number | null;
  vi_dynamic_upper: number | null;
  base_price: number;
  upper_limit: number | null;
  lower_limit: number | null;
  /** What the present phase takes; none = cancels only. */
  order_types: OrderType[];
  /** Those of them that may be IOC or FOK now. */
  immediate_types: OrderType[];
}

export interface Instrument extends InstrumentState {
  name: string;
  board: string;
  security: string;
  tick_bands: TickBand[];
  last_price: number | null;
  change: number | null;
  change_percent: string | null;
  day_open: number | null;
  day_high: number | null;
  day_low: number | null;
  day_volume: number;
  day_turnover: number;
  /** Fees in millionths of a trade's amount, the taxes on sells only. */
  commission_ppm: number;
  transaction_tax_ppm: number;
  rural_tax_ppm: number;
  /** 직전가: today's last trade's price, before it the base price. */
  previous_price: number | null;
  /** The day's turnover by its volume, a decimal string. */
  day_vwap: string | null;
  /** Shares of one order; 0 = no bound. */
  max_order_qty: number;
  /** The same bound by the company's value (KRX ER 14); 0 = none. */
  max_qty_by_value: number;
  /** Trading days from a trade to its cash. */
  settlement_days: number;
  market_remainder: MarketRemainder;
  /** All that any phase takes. */
  all_order_types: OrderType[];
}

export interface Symbols {
  symbols: Instrument[];
  /** So many digits of every price and amount stand behind the decimal point when people read it. */
  price_scale: number;
  /** ISO 4217; null where the rules name none. */
  currency: string | null;
  seq: number;
}

export type MarketHours = "krx" | "always" | "fast";

/** A part of the day's plan; an auction ends at a random moment up to `random_end_s` seconds after `to`. */
export interface PlannedPhase {
  phase: Phase;
  from: string;
  to: string;
  random_end_s: number;
}

export interface Clock {
  /** The exchange's time. */
  now: string;
  trading_day: string | null;
  phase: Phase;
  seq: number;
  price_scale: number;
  currency: string | null;
  market_hours: MarketHours;
  /** Seconds of the exchange's time per second. */
  speed: number;
  next_phase: Phase | null;
  next_phase_at: string | null;
  day: PlannedPhase[];
}

/** The data of the `market` channel: in a snapshot all instruments, in a delta those that changed, each whole. */
export interface MarketData {
  symbols: InstrumentState[];
  clock: Clock | null;
}

/** Price, open quantity, number of orders. */
export type Level = readonly [price: number, qty: number, orders: number];

export interface BookSnapshot {
  symbol: string;
  bids: Level[];
  asks: Level[];
  seq: number;
  ts: string | null;
}

export interface PublicTrade {
  symbol: string;
  trade_id: number;
  price: number;
  qty: number;
  taker_side: Side | null;
  ts: string;
}

export interface TradePage {
  trades: PublicTrade[];
  next_cursor: string | null;
  seq: number;
}

export const INTERVALS = ["1m", "3m", "5m", "15m", "30m", "60m", "1d"] as const;
export type Interval = (typeof INTERVALS)[number];

export interface CandleView {
  ts: string;
  open: number;
  high: number;
  low: number;
  close: number;
  volume: number;
  turnover: number;
  trade_count: number;
}

export interface CandlePage {
  symbol: string;
  interval: string;
  candles: CandleView[];
  seq: number;
}

/** An order. Always leaves_qty + filled_qty + canceled_qty = qty. */
export interface OrderView {
  order_id: number;
  client_order_id: string | null;
  parent_order_id: number | null;
  account_id: number;
  symbol: string;
  side: Side;
  type: OrderType;
  time_in_force: TimeInForce;
  qty: number;
  limit_price: number | null;
  stop_price: number | null;
  leaves_qty: number;
  filled_qty: number;
  canceled_qty: number;
  filled_amount: number;
  avg_fill_price: string | null;
  status: OrderStatus;
  reject_reason: string | null;
  /** Why it ended though nobody asked; null where somebody did, and while it is open. */
  end_reason: string | null;
  seq: number;
  ts: string;
}

/** A fill, with the order as it stood after it. */
export interface FillView {
  trade_id: number;
  order_id: number;
  client_order_id: string | null;
  account_id: number;
  symbol: string;
  side: Side;
  price: number;
  qty: number;
  amount: number;
  liquidity: Liquidity;
  leaves_qty: number;
  filled_qty: number;
  canceled_qty: number;
  filled_amount: number;
  avg_fill_price: string | null;
  commission: number;
  tax: number;
  status: OrderStatus;
  seq: number;
  ts: string;
}

export interface OrderResult extends OrderView {
  fills: FillView[];
}

export interface CanceledOrders {
  canceled: OrderView[];
  count: number;
}

export interface BalanceView {
  kind: "balance";
  account_id: number;
  cash: number;
  reserved: number;
  available: number;
  /** What is settled (D, 예수금), and what it will be on the next trading day and on the one after it. */
  settled_cash: number;
  cash_d1: number;
  cash_d2: number;
  seq: number;
  ts: string;
}

export interface PositionView {
  kind: "position";
  account_id: number;
  symbol: string;
  qty: number;
  reserved_qty: number;
  available_qty: number;
  cost_amount: number;
  avg_cost: string | null;
  realized_profit: number;
  seq: number;
  ts: string;
}

export interface AccountView extends BalanceView {
  market_value: number;
  cost_amount: number;
  unrealized_profit: number;
  realized_profit: number;
  total_value: number;
}

export interface HoldingView extends PositionView {
  last_price: number | null;
  market_value: number;
  unrealized_profit: number;
}

export interface Positions {
  positions: HoldingView[];
  seq: number;
}

export interface OrderCapacity {
  symbol: string;
  side: Side;
  type: OrderType;
  limit_price: number | null;
  max_qty: number;
  unit_cash: number | null;
  available_cash: number;
  available_qty: number;
  reason: string | null;
  detail: string | null;
  seq: number;
}

export interface OrderPage {
  orders: OrderView[];
  next_cursor: string | null;
  seq: number;
}

export interface FillPage {
  fills: FillView[];
  next_cursor: string | null;
  seq: number;
}

/** An open limit order's place: of the level's `level_qty` shares, `ahead_qty` trade before its own `leaves_qty`. */
export interface QueuePlace {
  order_id: number;
  ahead_qty: number;
  leaves_qty: number;
  level_qty: number;
  ahead_orders: number;
}

/** A sentence of the story: the code and its params, and the server's own text. */
export interface StorySentence {
  code: string;
  params: Record<string, unknown>;
  text: string;
}

export interface StoryPlace {
  ahead_qty: number;
  ahead_orders: number;
  level_qty: number;
}

export interface Happening extends StorySentence {
  seq: number;
  ts: string;
  /** The order's own, or a rule's. */
  own: boolean;
  rule: boolean;
}

/** What one can do, with its consequence. */
export type StoryOption = StorySentence;

/** Why an order is as it is: `GET /v1/orders/{id}/story`. */
export interface StoryView {
  order: OrderView;
  answer: StorySentence;
  queue: { entry: StoryPlace | null; now: StoryPlace | null };
  /** Newest last. */
  happenings: Happening[];
  /** Older ones that were left out. */
  more: number;
  /** What one can do, each with its consequence. */
  options: StoryOption[];
}

export interface QueuePage {
  positions: QueuePlace[];
  seq: number;
}

/** A request of the account that changed nothing. */
export interface RequestView {
  request: string;
  account_id: number;
  order_id: number | null;
  original_seq: number | null;
  reason: string | null;
  seq: number;
  ts: string;
}

export interface SessionView {
  user_id: number;
  name: string;
  account_id: number | null;
  scopes: string[];
  via: string;
  csrf_token: string | null;
}

export interface NewUser {
  user_id: number;
  name: string;
  account_id: number;
  seq: number;
}

export type KisMode = "simulator" | "live" | "mock";

export interface KisApproval {
  approval_key: string;
  /** The WebSocket's address; null for this server's own. */
  url: string | null;
  mode: KisMode;
  layout: string;
  /** How many may be registered at once. */
  registrations: number;
}

/** The one envelope of every stream. `id` is `JOURNAL-seq-idx`; `prev` the id of the event before it on the same chain. */
export interface Envelope<Type extends string = string, Data = unknown> {
  ch: string;
  id: string | null;
  prev: string | null;
  type: Type;
  ts: string | null;
  data: Data;
}

export type AccountEvent =
  | Envelope<"order", OrderView>
  | Envelope<"fill", FillView>
  | Envelope<"account", BalanceView | PositionView>
  | Envelope<"request", RequestView>
  | Envelope<"reset", unknown>;

export interface NewOrder {
  symbol: string;
  side: Side;
  type: OrderType;
  qty: number;
  limit_price?: number;
  stop_price?: number;
  time_in_force?: TimeInForce;
  client_order_id?: string;
}

export interface Correction {
  limit_price?: number;
  stop_price?: number;
  leaves_qty?: number;
  type?: OrderType;
  qty?: number;
  client_order_id?: string;
}

/** RFC 9457, as the gateway writes it. */
export interface ProblemBody {
  type?: string;
  title?: string;
  status: number;
  code: string;
  detail: string;
  instance?: string;
  retryable?: boolean;
  errors?: { field: string; code: string; detail?: string }[];
  order?: OrderView;
}
