/** Sends the ticket, and says what became of it where no fill does. */

import type { View } from "../view";

export async function send(view: View): Promise<void> {
  const { page } = view;
  if (page.session.state.get().kind === "out") {
    view.sessionAsked.set(true);
    return;
  }
  const amending = page.ticket.form.get().mode === "amend";
  const outcome = await page.ticket.submit();
  if (outcome === null || !outcome.ok) return;
  const { order } = outcome;
  const name = page.market.name(order.symbol);
  const notice = { symbol: order.symbol, orderId: order.order_id, side: order.side };
  if (amending) page.toasts.info({ key: "done.corrected", params: { name } }, notice);
  else if (order.status === "canceled" && order.filled_qty === 0) {
    page.toasts.info({ key: "done.canceled", params: { name, qty: order.canceled_qty } }, notice);
  } else if (order.leaves_qty > 0) {
    const { qty, side, limit_price: price } = order;
    const detail = [{ key: "toast.order", params: { name, price } } as const];
    page.toasts.info({ key: "toast.accepted", params: { side, qty } }, { ...notice, detail });
  }
}

export async function cancelOrder(view: View, orderId: number): Promise<void> {
  const { page } = view;
  if (page.trading.busy.get().has(orderId)) return;
  const outcome = await page.trading.cancel(orderId);
  if (!outcome.ok) {
    page.toasts.info(outcome.sentence, { kind: "refused", orderId });
    return;
  }
  const { order } = outcome;
  const params = { name: page.market.name(order.symbol), qty: order.canceled_qty };
  page.toasts.info({ key: "done.canceled", params }, { symbol: order.symbol, orderId });
}

/** Asks once, naming how many. */
export async function cancelAll(view: View, symbol: string | null): Promise<void> {
  const { page } = view;
  const open = page.orders.open.get().filter((order) => symbol === null || order.symbol === symbol);
  if (open.length === 0) return;
  const action = view.words.get().t("action.cancel_all");
  if (!(await view.ask({ key: "ask.cancel_all", params: { count: open.length } }, action))) return;
  const done = await page.trading.cancelAll(symbol === null ? {} : { symbol });
  if (done.ok) page.toasts.info({ key: "done.all_canceled", params: { count: done.count } });
  else page.toasts.info(done.sentence, { kind: "refused" });
}
