/** Short labels of the view, in English. The same keys as `labels.ko.ts`. */

import type { labels as korean } from "./labels.ko";

export const labels: {
  [Key in keyof typeof korean]: (typeof korean)[Key] extends string ? string : (typeof korean)[Key];
} = {
  "side.buy": "Buy",
  "side.sell": "Sell",
  "ticket.amend": "Amend",
  "type.limit": "Limit",
  "type.market": "Market",
  "type.conditional_limit": "Conditional limit",
  "type.best_opposite": "Best opposite",
  "type.best_same": "Best same side",
  "type.midpoint": "Midpoint",
  "type.stop_limit": "Stop limit",
  "type.stop": "Stop",
  "tif.day": "Day",
  "tif.ioc": "IOC",
  "tif.fok": "FOK",
  "status.new": "Accepted",
  "status.partially_filled": "Part filled",
  "status.filled": "Filled",
  "status.canceled": "Canceled",
  "status.rejected": "Refused",
  "status.expired": "Expired",
  "phase.pre_open": "Before the open",
  "phase.opening_auction": "Opening auction",
  "phase.continuous": "Continuous trading",
  "phase.closing_auction": "Closing auction",
  "phase.vi_auction": "VI auction",
  "phase.closed": "Closed",
  "phase.halted": "Halted",
  "phase.after_hours": "After hours",
  "mode.simulator": "Simulator",
  "mode.live": "Direct",
  "mode.mock": "Mock",
};
