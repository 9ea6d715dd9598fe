/** The keyboard map. Single letters are off while something is typed, and can be switched off. */

import { PORTIONS } from "../../model/ticket";
import { cancelAll, cancelOrder } from "../ticket/send";
import type { View } from "../view";

function isTyping(target: EventTarget | null): boolean {
  if (!(target instanceof HTMLElement)) return false;
  return target.isContentEditable || /^(INPUT|SELECT|TEXTAREA)$/.test(target.tagName);
}

/** The orders in the order in which the blotter lists them: open ones, or in the history all. */
function moveRow(view: View, step: number): void {
  const history = view.blotterTab.get() === "history";
  const { open, all } = view.page.orders;
  const ids = (history ? all : open).get().map((order) => order.order_id);
  if (ids.length === 0) return;
  const at = ids.indexOf(view.blotterOrder.get() ?? -1);
  const to = at < 0 ? (step > 0 ? 0 : ids.length - 1) : Math.min(Math.max(at + step, 0), ids.length - 1);
  if (!history) view.blotterTab.set("open");
  view.blotterOrder.set(ids[to] ?? null);
}

function letters(view: View): Record<string, () => void> {
  const { ticket } = view.page;
  const toTicket = (mode: "buy" | "sell" | "amend") => () => {
    view.phoneTab.set("order");
    ticket.setMode(mode);
    document.getElementById(`ticket-${mode}`)?.focus();
  };
  const chosen = () => view.blotterOrder.get();
  return {
    b: toTicket("buy"),
    s: toTicket("sell"),
    c: toTicket("amend"),
    p: () => view.ticketFocus.emit("price"),
    q: () => view.ticketFocus.emit("qty"),
    l: () => view.ladderFocus.emit(),
    j: () => moveRow(view, 1),
    k: () => moveRow(view, -1),
    w: () => view.explain(view.explained.get() === chosen() ? null : chosen()),
    x: () => {
      const id = chosen();
      if (id !== null) void cancelOrder(view, id);
    },
  };
}

/** Korean letters on the same keys, so that the map works with the Korean input on. */
const KOREAN: Record<string, string> = {
  ㅠ: "b",
  ㄴ: "s",
  ㅊ: "c",
  ㅔ: "p",
  ㅂ: "q",
  ㅣ: "l",
  ㅓ: "j",
  ㅏ: "k",
  ㅈ: "w",
  ㅌ: "x",
};

export function listenToKeys(view: View): () => void {
  const byLetter = letters(view);

  const onkeydown = (event: KeyboardEvent): void => {
    if (event.defaultPrevented || event.isComposing) return;
    if (document.querySelector("dialog[open]") !== null) return;
    if (event.key === "Escape" && event.shiftKey) {
      event.preventDefault();
      void cancelAll(view, null);
      return;
    }
    if (event.key === "Escape") {
      // Out of an input, so that the letters work again.
      if (isTyping(event.target)) (event.target as HTMLElement).blur();
      else view.explain(null);
      return;
    }
    const portion = event.altKey && !event.ctrlKey && !event.metaKey ? /^Digit([1-4])$/.exec(event.code) : null;
    if (portion !== null) {
      event.preventDefault();
      view.page.ticket.takePortion(PORTIONS[Number(portion[1]) - 1] ?? 0);
      return;
    }
    if (isTyping(event.target) || event.ctrlKey || event.metaKey || event.altKey) return;
    if (!view.page.preferences.settings.get().keys) return;
    if (event.key === "/") {
      event.preventDefault();
      view.searchFocus.emit();
      return;
    }
    if (event.key === "?") {
      view.keysShown.set(true);
      return;
    }
    const run = byLetter[KOREAN[event.key] ?? event.key.toLowerCase()];
    if (run === undefined || event.repeat) return;
    event.preventDefault();
    run();
  };

  document.addEventListener("keydown", onkeydown);
  return () => document.removeEventListener("keydown", onkeydown);
}
