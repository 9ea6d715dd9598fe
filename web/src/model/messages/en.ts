/** What the page says, in English. */

import type { OrderType, Phase, Side, TimeInForce } from "../../api/types";
import type { Amounts } from "../money";
import { group, shares } from "../numbers";
import type { ko } from "./ko";
import { labels } from "./labels.en";

const s = (value: number) => shares(value, "en");
const typeName = (type: OrderType) => labels[`type.${type}`];
const phaseName = (phase: Phase) => labels[`phase.${phase}`];
const tifName = (condition: TimeInForce) => labels[`tif.${condition}`];
const sideName = (side: Side) => labels[`side.${side}`];
const lower = (text: string) => text.charAt(0).toLowerCase() + text.slice(1);
const first = (now: number) => (now > 0 ? `${s(now)} could fill at once; ` : "");
const behind = ({ w }: Amounts, price: number, ahead: number | null) =>
  ahead === null
    ? `it waits at ${w(price)}`
    : ahead === 0
      ? `it queues first at ${w(price)}`
      : `it queues at ${w(price)} behind ${s(ahead)}`;

type Korean = typeof ko;
type Catalogue = { [Key in keyof Korean]: Korean[Key] extends string ? string : Korean[Key] };

export const en: Catalogue = {
  ...labels,

  "forecast.no_symbol": "Choose an instrument to order.",
  "forecast.log_in": "Log in to order.",
  "forecast.price_missing": "Enter a price.",
  "forecast.stop_missing": "Enter a stop price. The order wakes when the last price reaches it.",
  "forecast.qty_missing": "Enter a quantity.",
  "forecast.pick_order": "Choose the order to amend among your open orders.",
  "forecast.no_book": "Waiting for the order book, so nothing can be said about a fill yet.",
  "forecast.fill": (p, { w }) => `${s(p.qty)} could fill at once at ${w(p.price)}.`,
  "forecast.fill_range": (p, { w }) => `${s(p.qty)} could fill at once at ${w(p.from)} to ${w(p.to)}.`,
  "forecast.fill_deep": (p) =>
    `Up to ${s(p.qty)} could fill at once from the levels seen here; the rest depends on deeper ones.`,
  "forecast.rest": (p, { w }) => `Will not fill at once: it queues at ${w(p.price)} behind ${s(p.ahead)}.`,
  "forecast.rest_first": (p, { w }) => `Will not fill at once: it queues first at ${w(p.price)}.`,
  "forecast.rest_far": (p, { w }) => `Will not fill at once: it waits at ${w(p.price)}.`,
  "forecast.part": (p, { w }) => `${s(p.now)} could fill at once; ${s(p.rest)} would wait at ${w(p.price)}.`,
  "forecast.part_canceled": (p) => `${s(p.now)} could fill at once; ${s(p.canceled)} would be canceled.`,
  "forecast.part_cash": (p) => `Your cash could fill ${s(p.now)} at once; ${s(p.canceled)} would be canceled.`,
  "forecast.none_ioc": "Nothing could fill at once, so the whole IOC order would be canceled.",
  "forecast.none_fok": (p) =>
    p.now > 0
      ? `Only ${s(p.now)} of ${s(p.qty)} could fill at once, so the whole FOK order would be canceled.`
      : "Nothing could fill at once, so the whole FOK order would be canceled.",
  "forecast.none_market": "There is no quote on the other side, so a market order would be canceled unfilled.",
  "forecast.auction": (p, { w }) =>
    `All match at one price ${p.time === null ? "when the auction ends" : `at ${p.time}`}.` +
    (p.price === null ? "" : ` At the indicative ${w(p.price)} this order could ${p.could ? "" : "not "}fill.`),
  "forecast.sleep": (p, { w }) =>
    `Wakes as a ${p.price === null ? "market order" : `limit order at ${w(p.price)}`} when the last price is ` +
    `${w(p.stop)} or ${p.side === "buy" ? "more" : "less"}. Until then it is not in the book.`,
  "forecast.interrupt": (p, { w }) =>
    `${p.now > 0 ? `${s(p.now)} could fill at once. ` : ""}A trade at ${w(p.price)} would set off a volatility ` +
    `interruption: a two-minute auction. The rest ${p.canceled ? "would be canceled" : "waits in it"}.`,
  "forecast.rest_market": (p, { w }) =>
    `${first(p.now)}${s(p.rest)} would stay as a market order` +
    (p.price === null
      ? " and wait for the other side."
      : `, deemed to be at ${w(p.price)} for now; it moves with the book.`),
  "forecast.rest_midpoint": (p, { w }) =>
    `${first(p.now)}${s(p.rest)} would wait half way between the best quotes, now ${w(p.price)}; it moves with them.`,
  "forecast.rest_conditional": (p, amounts) =>
    `Will not fill at once: ${behind(amounts, p.price, p.ahead)}. What is left at 15:20 joins the closing auction at market.`,
  "forecast.rest_best": (p, amounts) =>
    `Will not fill at once: the book sets its price now, and ${behind(amounts, p.price, p.ahead)}.`,
  "forecast.amend_keeps": (p) => `Only the quantity goes down, to ${s(p.qty)}. You keep your place.`,
  "forecast.amend_cancels": "All that is open would be canceled.",
  "amend.consequence": (p, { w }) =>
    (p.ends ? "Its place is lost." : p.keeps ? "It keeps its place." : "It goes to the back of the queue.") +
    (p.before === p.after ? "" : ` The cash it holds changes from ${w(p.before)} to ${w(p.after)}.`),
  "forecast.amend_back": "A new price goes to the back of the queue. Reducing the quantity keeps your place.",

  "refused.offline": "You are offline, so orders are not sent.",
  "refused.input_invalid": "Enter digits only.",
  "refused.input_huge": "That is more than an order can carry. Enter a smaller number.",
  "refused.price_tick": (p, { w }) => `Prices here move in steps of ${w(p.tick)}.`,
  "refused.price_limit_upper": (p, { w }) => `The upper limit today is ${w(p.limit)}.`,
  "refused.price_limit_lower": (p, { w }) => `The lower limit today is ${w(p.limit)}.`,
  "refused.qty_limit": (p) => `One order may have at most ${s(p.max)}.`,
  "refused.insufficient_cash": (p, { w }) =>
    `${w(p.short)} short.` + (p.max > 0 ? ` You can buy up to ${s(p.max)}.` : ""),
  "refused.no_cash": "There is no free cash to order with.",
  "refused.insufficient_shares": (p) =>
    p.held > 0
      ? `You can sell ${s(p.can)}; ${s(p.held)} are held by another order.`
      : p.can > 0
        ? `You can sell ${s(p.can)}.`
        : "You have no shares to sell.",
  "refused.auction_type": (p) => `${p.type} is not accepted during an auction. Use a day limit order.`,
  "refused.type_in_phase": (p) => `${typeName(p.type)} orders are not accepted now (${lower(phaseName(p.phase))}).`,
  "refused.condition_in_phase": (p) => `${tifName(p.condition)} is not accepted now (${lower(phaseName(p.phase))}).`,
  "refused.condition_of_type": (p) => `${typeName(p.type)} orders cannot be ${tifName(p.condition)}.`,
  "refused.conditional_at_limit": (p) =>
    `A conditional order cannot ${p.side === "buy" ? "buy at the upper" : "sell at the lower"} limit. Use a limit order.`,
  "refused.no_midpoint": "Both sides need a quote for a midpoint order.",
  "refused.amend_type": (p) =>
    p.type === "midpoint" || p.type === "stop_limit" || p.type === "stop"
      ? `${typeName(p.type)} orders cannot become another type.`
      : "No order can become a midpoint or stop order. Enter a new one.",
  "refused.insufficient_cash_unpriced": (p, { w }) =>
    `An order without a price holds ${w(p.unit)} a share: ${w(p.short)} short.` +
    (p.max > 0 ? ` You can buy up to ${s(p.max)}.` : ""),
  "refused.market_closed": (p) => `The market is closed. Orders open ${p.tomorrow ? "tomorrow " : ""}at ${p.time}.`,
  "refused.rate_limited": (p) => `Too many orders. Try again in ${p.seconds} s.`,
  "refused.network": "The server could not be reached. Check your connection.",
  "refused.unknown_answer": "The server sent an answer that was not understood.",

  "fix.price": (p, { w }) => w(p.price),
  "fix.qty": (p) => `Change to ${s(p.qty)}`,
  "fix.limit_day": "Change to a day limit order",
  "fix.day": "Change to a day order",
  "fix.log_in": "Log in",

  "ticket.sending": "Sending the order.",
  "ticket.confirming": "Confirming. Pressing again will not enter it twice.",
  "done.bought": (p) => `Bought ${s(p.qty)} ${p.name}`,
  "done.sold": (p) => `Sold ${s(p.qty)} ${p.name}`,
  "done.part": (p) => `${s(p.filled)} of ${s(p.qty)}, ${s(p.left)} left`,
  "done.at": (p, { w }) => `at ${w(p.price)}`,
  "done.at_average": (p, { w }) => `at ${w(p.price)} on average`,
  "done.accepted": (p, { w }) =>
    `Order accepted: ${p.side === "buy" ? "buy" : "sell"} ${s(p.qty)} ${p.name} at ${p.price === null ? "market" : w(p.price)}`,
  "done.canceled": (p) => `Canceled: ${s(p.qty)} ${p.name}`,
  "done.all_canceled": (p) => `Canceled ${group(p.count)} ${p.count === 1 ? "order" : "orders"}`,
  "done.corrected": (p) => `Amended the ${p.name} order`,
  "done.expired": (p) => `Ended with the trading day: ${s(p.qty)} ${p.name}`,
  "done.ended": (p) => `Ended: ${s(p.qty)} ${p.name}`,
  "market.vi": (p) =>
    `${p.name}: a ${p.at === "dynamic" ? "dynamic" : "static"} volatility interruption began a two-minute auction`,
  "market.halted": (p) => `${p.name}: trading is halted. Only cancels are accepted`,
  "market.phase": (p) => `${p.name}: ${lower(phaseName(p.phase))}`,
  "market.indicative": (p, { w }) => `Indicative price ${w(p.price)}, quantity ${s(p.qty)}`,
  "balance.d": "Settled (D)",
  "balance.d1": "D+1",
  "balance.d2": "D+2",
  "balance.days_how": (p) =>
    p.days === 0
      ? "Trades settle at once."
      : `Trades settle ${p.days} trading ${p.days === 1 ? "day" : "days"} later; you can order with the cash before.`,
  "order.described": (p, { w }) =>
    [
      sideName(p.side),
      lower(typeName(p.type)),
      p.stop === null ? "" : `stop ${w(p.stop)}`,
      p.price === null ? "" : w(p.price),
    ]
      .filter((part) => part !== "")
      .join(" "),
  "ask.cancel_all": (p) => `Cancel all ${group(p.count)} open ${p.count === 1 ? "order" : "orders"}?`,
  "ask.correct_price": (p, { w }) =>
    `Move the order from ${w(p.from)} to ${w(p.to)}? It goes to the back of the queue.`,

  "queue.ahead": (p) => (p.ahead > 0 ? `${s(p.ahead)} ahead` : "first"),

  "option.correct_to": (p, { w }) => `Amend to ${w(p.price)}`,
  "option.correct": "Amend",
  "option.reduce": "Reduce the quantity",
  "option.wait": "Wait",
  "option.cancel": "Cancel",
  "option.order": "Order again",

  "link.live": "Live",
  "link.connecting": "Connecting.",
  "link.offline": (p) => `Connection lost. Trying again in ${p.seconds} s (attempt ${p.attempt}).`,
  "link.offline_now": (p) => `Connection lost. Trying again now (attempt ${p.attempt}).`,
  "link.back": (p) => `Connected again. ${group(p.fills)} ${p.fills === 1 ? "fill" : "fills"} happened meanwhile.`,
  "link.back_quiet": "Connected again. Nothing is missing.",
  "link.reset": "Away for long, so everything was read anew. Nothing is missing.",
  "link.session_ended": "Your session has ended. Log in again.",
  "kis.off": "Prices are not being received yet.",
  "kis.log_in": "Log in to receive live prices.",
  "kis.connecting": "Connecting to KIS prices.",
  "kis.live": (p) => `KIS prices live ${p.used}/${p.limit}`,
  "kis.silent": (p) => `Nothing heard from KIS for ${p.seconds} s. The prices shown are not live.`,
  "kis.retrying": (p) => `The KIS price connection was lost. Trying again in ${p.seconds} s (attempt ${p.attempt}).`,
  "kis.flapping": (p) =>
    `The KIS price connection keeps closing (${p.times} times lately). Trying again in ${p.seconds} s.`,
  "kis.key_superseded": "The KIS approval key is no longer valid; a new one is being fetched.",
  "kis.in_use": (p) => `The KIS key is in use elsewhere. Waiting ${p.seconds} s before trying again.`,
  "kis.full": (p) => `KIS takes ${p.limit} registrations at once. The other instruments are not live.`,
  "kis.no_approval": "No KIS approval key was given, so prices are not live.",
  "kis.mixed_content": "A page opened over https cannot connect to KIS (ws://) directly. Open it over http.",

  "session.name_short": "The name must have 2 to 32 characters.",
  "session.name_letters": "The name may have letters, digits, Korean syllables and . _ -",
  "session.password_short": "The password must have at least 8 characters.",
  "session.password_long": "The password is too long.",
};
