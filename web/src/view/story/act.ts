/** What a story's options do: they fill in the ticket, or ask once. To wait is nothing to press. */

import type { OrderView, StoryOption } from "../../api/types";
import type { Sentence } from "../../model/messages";
import { group } from "../../model/numbers";
import { hasPrice } from "../../model/forecast";
import { cancelOrder } from "../ticket/send";
import type { View } from "../view";

const AGAIN: ReadonlySet<string> = new Set(["order_again", "order_tomorrow", "order_day", "order_limit"]);

/** The price that an option is about; null for one that names none. */
export function priceOf(option: StoryOption): number | null {
  const found = Object.entries(option.params).find(([name]) => name.endsWith("_price"))?.[1];
  return typeof found === "number" ? found : null;
}

/** What its button says; null where there is nothing to do. */
export function actionOf(option: StoryOption): Sentence | null {
  const { code } = option;
  if (code.startsWith("correct_to_")) {
    const price = priceOf(option);
    return price === null ? null : { key: "story.do_correct", params: { price } };
  }
  if (code === "correct_stop") return { key: "story.do_correct_stop" };
  if (code === "reduce") return { key: "story.do_reduce" };
  if (code.startsWith("cancel")) return { key: "story.do_cancel" };
  return AGAIN.has(code) ? { key: "story.do_again" } : null;
}

/** The drawer lies over the ticket, so it closes before the ticket is filled in. */
export async function act(view: View, order: OrderView, option: StoryOption): Promise<void> {
  const { ticket } = view.page;
  const { code } = option;
  const id = order.order_id;
  if (code.startsWith("cancel")) {
    const params = { name: view.page.market.name(order.symbol), qty: order.leaves_qty };
    const yes = await view.ask({ key: "ask.cancel", params }, view.words.get().t("story.do_cancel"));
    if (yes) await cancelOrder(view, id);
    return;
  }
  view.explain(null);
  view.phoneTab.set("order");
  if (AGAIN.has(code)) {
    again(view, order, code);
    view.ticketFocus.emit("qty");
    return;
  }
  view.amend(id);
  const price = priceOf(option);
  if (code.startsWith("correct_to_") && price !== null) {
    const { type } = ticket.form.get();
    ticket.set({ type: hasPrice(type) ? type : "limit", price: view.words.get().digits(price) });
  }
  view.ticketFocus.emit(code === "reduce" ? "qty" : code === "correct_stop" ? "stop" : "price");
}

/** The same order once more, with what did not fill. */
function again(view: View, order: OrderView, code: string): void {
  const { ticket } = view.page;
  const { digits } = view.words.get();
  view.page.select(order.symbol);
  ticket.setMode(order.side);
  const rest = order.qty - order.filled_qty;
  ticket.setType(code === "order_limit" ? "limit" : order.type);
  ticket.set({
    qty: group(rest > 0 ? rest : order.qty),
    timeInForce: code === "order_day" || code === "order_limit" ? "day" : order.time_in_force,
    ...(order.limit_price === null ? {} : { price: digits(order.limit_price) }),
    ...(order.stop_price === null ? {} : { stop: digits(order.stop_price) }),
  });
}
