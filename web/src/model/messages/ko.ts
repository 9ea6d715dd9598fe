/** What the page says, in Korean. `en.ts` has the same keys; its type makes sure. Labels of the view are in `labels.ko.ts`. */

import type { OrderType, Phase, Side, TimeInForce } from "../../api/types";
import type { Amounts } from "../money";
import { group, shares } from "../numbers";
import { labels } from "./labels.ko";

const s = (value: number) => shares(value, "ko");
const typeName = (type: OrderType) => labels[`type.${type}`];
const phaseName = (phase: Phase) => labels[`phase.${phase}`];
const tifName = (condition: TimeInForce) => labels[`tif.${condition}`];
const sideName = (side: Side) => labels[`side.${side}`];
/** What goes before a sentence about the rest, once something fills at once. */
const first = (now: number) => (now > 0 ? `${s(now)}는 바로 체결될 수 있고, ` : "");
const behind = (ahead: number | null) =>
  ahead === null ? "에서 기다립니다" : ahead === 0 ? "에서 맨 앞에 줄을 섭니다" : `에서 ${s(ahead)} 뒤에 줄을 섭니다`;

export const ko = {
  ...labels,

  // What would happen if the order were sent now
  "forecast.no_symbol": "종목을 고르면 주문할 수 있습니다.",
  "forecast.log_in": "로그인하면 주문할 수 있습니다.",
  "forecast.price_missing": "가격을 입력해 주세요.",
  "forecast.stop_missing": "스톱 가격을 입력해 주세요. 현재가가 그 가격에 닿으면 주문이 깨어납니다.",
  "forecast.qty_missing": "수량을 입력해 주세요.",
  "forecast.pick_order": "미체결에서 정정할 주문을 골라 주세요.",
  "forecast.no_book": "호가를 기다리고 있습니다. 지금은 체결 여부를 말할 수 없습니다.",
  "forecast.fill": (p: { price: number; qty: number }, { w }: Amounts) =>
    `${w(p.price)}에 ${s(p.qty)}가 바로 체결될 수 있습니다.`,
  "forecast.fill_range": (p: { from: number; to: number; qty: number }, { range }: Amounts) =>
    `${range(p.from, p.to)}에 ${s(p.qty)}가 바로 체결될 수 있습니다.`,
  "forecast.fill_deep": (p: { qty: number }) =>
    `${s(p.qty)}까지는 보이는 호가에서 바로 체결될 수 있고, 그다음은 더 먼 호가에 달려 있습니다.`,
  "forecast.rest": (p: { price: number; ahead: number }, { w }: Amounts) =>
    `바로 체결되지 않고, ${w(p.price)}에서 ${s(p.ahead)} 뒤에 줄을 섭니다.`,
  "forecast.rest_first": (p: { price: number }, { w }: Amounts) =>
    `바로 체결되지 않고, ${w(p.price)}에서 맨 앞에 줄을 섭니다.`,
  "forecast.rest_far": (p: { price: number }, { w }: Amounts) => `바로 체결되지 않고, ${w(p.price)}에서 기다립니다.`,
  "forecast.part": (p: { now: number; rest: number; price: number }, { w }: Amounts) =>
    `${s(p.now)}는 바로 체결될 수 있고, ${s(p.rest)}는 ${w(p.price)}에서 기다립니다.`,
  "forecast.part_canceled": (p: { now: number; canceled: number }) =>
    `${s(p.now)}는 바로 체결될 수 있고, ${s(p.canceled)}는 취소됩니다.`,
  "forecast.part_cash": (p: { now: number; canceled: number }) =>
    `현금으로 ${s(p.now)}까지 바로 체결될 수 있고, ${s(p.canceled)}는 취소됩니다.`,
  "forecast.none_ioc": "지금 체결될 호가가 없어 IOC 주문은 전량 취소됩니다.",
  "forecast.none_fok": (p: { now: number; qty: number }) =>
    p.now > 0
      ? `지금 체결될 수 있는 수량이 ${s(p.qty)} 중 ${s(p.now)}여서 FOK 주문은 전량 취소됩니다.`
      : "지금 체결될 호가가 없어 FOK 주문은 전량 취소됩니다.",
  "forecast.none_market": "상대편 호가가 없어 시장가 주문은 체결되지 않고 취소됩니다.",
  "forecast.auction": (p: { time: string | null; price: number | null; could: boolean }, { w }: Amounts) =>
    `${p.time === null ? "단일가가 끝날 때" : `${p.time}에`} 한 가격으로 체결됩니다.` +
    (p.price === null ? "" : ` 예상체결가 ${w(p.price)}이면 이 주문은 체결될 수 ${p.could ? "있" : "없"}습니다.`),
  "forecast.sleep": (p: { stop: number; side: Side; price: number | null; last: number | null }, { w }: Amounts) =>
    `현재가가 ${w(p.stop)} ${p.side === "buy" ? "이상이" : "이하가"} 되면 ` +
    `${p.price === null ? "시장가" : `${w(p.price)} 지정가`} 주문으로 깨어납니다. 그때까지 호가에 보이지 않습니다.`,
  "forecast.interrupt": (p: { price: number; now: number; canceled: boolean }, { w }: Amounts) =>
    `${first(p.now)}이 주문이 ${w(p.price)}에 체결되면 변동성완화장치가 발동해 2분 단일가로 바뀝니다.` +
    (p.canceled ? " 남은 수량은 취소됩니다." : " 남은 수량은 그 단일가에서 기다립니다."),
  "forecast.rest_market": (p: { now: number; rest: number; price: number | null }, { w }: Amounts) =>
    p.price === null
      ? `${first(p.now)}${s(p.rest)}는 시장가로 남아 상대 주문을 기다립니다.`
      : `${first(p.now)}${s(p.rest)}는 시장가로 남아 기다립니다. 지금은 ${w(p.price)} 호가로 보고, 호가를 따라 움직입니다.`,
  "forecast.rest_midpoint": (p: { now: number; rest: number; price: number }, { w }: Amounts) =>
    `${first(p.now)}${s(p.rest)}는 두 최우선호가의 가운데인 ${w(p.price)}에서 기다립니다. 호가를 따라 움직입니다.`,
  "forecast.rest_conditional": (p: { price: number; ahead: number | null }, { w }: Amounts) =>
    `바로 체결되지 않고, ${w(p.price)}${behind(p.ahead)}. 15:20까지 남으면 종가 단일가의 시장가가 됩니다.`,
  "forecast.rest_best": (p: { price: number; ahead: number | null }, { w }: Amounts) =>
    `바로 체결되지 않고, 지금 호가로 정해지는 ${w(p.price)}${behind(p.ahead)}.`,
  "forecast.amend_keeps": (p: { qty: number }) => `수량만 ${s(p.qty)}로 줄어듭니다. 순서는 그대로입니다.`,
  "forecast.amend_cancels": "미체결 수량이 모두 취소됩니다.",
  "amend.consequence": (p: { keeps: boolean; ends: boolean; before: number; after: number }, { w }: Amounts) =>
    (p.ends ? "순서를 잃습니다." : p.keeps ? "순서는 그대로입니다." : "순서가 맨 뒤로 갑니다.") +
    (p.before === p.after ? "" : ` 묶인 돈이 ${w(p.before)}에서 ${w(p.after)}으로 바뀝니다.`),
  "forecast.amend_back": "가격을 바꾸면 순서가 맨 뒤로 갑니다. 수량만 줄이면 순서가 그대로입니다.",

  // Why it cannot be sent
  "refused.offline": "연결이 끊겨 있어 지금은 주문을 보내지 않습니다.",
  "refused.input_invalid": "숫자만 입력해 주세요.",
  "refused.input_huge": "주문할 수 있는 수보다 큽니다. 더 작은 수를 입력해 주세요.",
  "refused.price_tick": (p: { tick: number }, { w }: Amounts) => `이 가격대는 ${w(p.tick)} 단위로 주문합니다.`,
  "refused.price_limit_upper": (p: { limit: number }, { w }: Amounts) =>
    `상한가 ${w(p.limit)}보다 비싸게 주문할 수 없습니다.`,
  "refused.price_limit_lower": (p: { limit: number }, { w }: Amounts) =>
    `하한가 ${w(p.limit)}보다 싸게 주문할 수 없습니다.`,
  "refused.qty_limit": (p: { max: number }) => `한 번에 ${s(p.max)}까지 주문할 수 있습니다.`,
  "refused.insufficient_cash": (p: { short: number; max: number }, { w }: Amounts) =>
    `현금이 ${w(p.short)} 모자랍니다.` + (p.max > 0 ? ` 최대 ${s(p.max)}까지 살 수 있습니다.` : ""),
  "refused.no_cash": "주문할 수 있는 현금이 없습니다.",
  "refused.insufficient_shares": (p: { can: number; held: number }) =>
    p.held > 0
      ? `팔 수 있는 수량은 ${s(p.can)}입니다. ${s(p.held)}는 다른 매도 주문에 묶여 있습니다.`
      : p.can > 0
        ? `팔 수 있는 수량은 ${s(p.can)}입니다.`
        : "팔 수 있는 주식이 없습니다.",
  "refused.auction_type": (p: { type: string }) =>
    `단일가 시간에는 ${p.type}를 쓸 수 없습니다. 당일 지정가로 주문해 주세요.`,
  "refused.type_in_phase": (p: { type: OrderType; phase: Phase }) =>
    `${phaseName(p.phase)}에는 ${typeName(p.type)} 주문을 받지 않습니다.`,
  "refused.condition_in_phase": (p: { condition: TimeInForce; phase: Phase }) =>
    `${phaseName(p.phase)}에는 ${tifName(p.condition)}를 쓸 수 없습니다.`,
  "refused.condition_of_type": (p: { condition: TimeInForce; type: OrderType }) =>
    `${typeName(p.type)} 주문에는 ${tifName(p.condition)}를 쓸 수 없습니다.`,
  "refused.conditional_at_limit": (p: { side: Side }) =>
    `조건부지정가로는 ${p.side === "buy" ? "상한가에 살" : "하한가에 팔"} 수 없습니다. 지정가로 주문해 주세요.`,
  "refused.no_midpoint": "양쪽에 호가가 있어야 중간가로 주문할 수 있습니다.",
  "refused.amend_type": (p: { type: OrderType }) =>
    p.type === "midpoint" || p.type === "stop_limit" || p.type === "stop"
      ? `${typeName(p.type)} 주문은 다른 종류로 정정할 수 없습니다.`
      : "중간가와 스톱 주문으로는 정정할 수 없습니다. 새로 주문해 주세요.",
  "refused.insufficient_cash_unpriced": (p: { short: number; max: number; unit: number }, { w }: Amounts) =>
    `가격 없는 주문은 ${w(p.unit)}씩 돈을 묶어 현금이 ${w(p.short)} 모자랍니다.` +
    (p.max > 0 ? ` 최대 ${s(p.max)}까지 살 수 있습니다.` : ""),
  "refused.market_closed": (p: { time: string; tomorrow: boolean }) =>
    `장이 끝났습니다. ${p.tomorrow ? "내일 " : ""}${p.time}부터 주문할 수 있습니다.`,
  "refused.rate_limited": (p: { seconds: number }) =>
    `주문이 너무 잦습니다. ${p.seconds}초 뒤에 다시 보낼 수 있습니다.`,
  "refused.network": "서버에 닿지 못했습니다. 연결을 확인해 주세요.",
  "refused.unknown_answer": "서버가 알 수 없는 답을 보냈습니다.",

  // What a refusal offers instead
  "fix.price": (p: { price: number }, { w }: Amounts) => w(p.price),
  "fix.qty": (p: { qty: number }) => `${s(p.qty)}로 바꾸기`,
  "fix.limit_day": "당일 지정가로 바꾸기",
  "fix.day": "당일 주문으로 바꾸기",
  "fix.log_in": "로그인",

  // What became of it
  "ticket.sending": "주문을 보내는 중입니다.",
  "ticket.confirming": "접수를 확인하는 중입니다. 다시 눌러도 두 번 들어가지 않습니다.",
  "done.bought": (p: { name: string; qty: number }) => `${p.name} ${s(p.qty)}를 샀습니다`,
  "done.sold": (p: { name: string; qty: number }) => `${p.name} ${s(p.qty)}를 팔았습니다`,
  "done.part": (p: { qty: number; filled: number; left: number }) =>
    `${s(p.qty)} 중 ${group(p.filled)}주, ${s(p.left)} 남음`,
  "done.at": (p: { price: number }, { w }: Amounts) => `${w(p.price)}`,
  "done.at_average": (p: { price: number }, { w }: Amounts) => `평균 ${w(p.price)}`,
  "done.accepted": (p: { name: string; price: number | null; qty: number; side: "buy" | "sell" }, { w }: Amounts) =>
    `${p.name} ${p.price === null ? "시장가" : w(p.price)} ${s(p.qty)} ${p.side === "buy" ? "매수" : "매도"} 주문이 접수되었습니다`,
  "done.canceled": (p: { name: string; qty: number }) => `${p.name} ${s(p.qty)} 주문이 취소되었습니다`,
  "done.all_canceled": (p: { count: number }) => `주문 ${group(p.count)}건을 취소했습니다`,
  "done.corrected": (p: { name: string }) => `${p.name} 주문을 정정했습니다`,
  "done.expired": (p: { name: string; qty: number }) => `${p.name} ${s(p.qty)} 주문이 장 마감으로 종료되었습니다`,
  "done.ended": (p: { name: string; qty: number }) => `${p.name} ${s(p.qty)} 주문이 종료되었습니다`,
  "market.vi": (p: { name: string; at: "dynamic" | "static" }) =>
    `${p.name}: ${p.at === "dynamic" ? "동적" : "정적"} 변동성완화장치가 발동해 2분 단일가로 바뀌었습니다`,
  "market.halted": (p: { name: string }) => `${p.name}: 거래가 정지되었습니다. 취소만 할 수 있습니다`,
  "market.phase": (p: { name: string; phase: Phase }) => `${p.name}: ${phaseName(p.phase)}`,
  "market.indicative": (p: { price: number; qty: number }, { w }: Amounts) =>
    `예상체결가 ${w(p.price)}, 예상수량 ${s(p.qty)}`,
  "balance.d": "예수금 (D)",
  "balance.d1": "D+1",
  "balance.d2": "D+2",
  "balance.days_how": (p: { days: number }) =>
    p.days === 0
      ? "체결 대금은 바로 결제됩니다."
      : `체결 대금은 ${p.days}거래일 뒤에 결제됩니다. 그 전에도 다시 주문할 수 있습니다.`,
  "order.described": (p: { side: Side; type: OrderType; price: number | null; stop: number | null }, { w }: Amounts) =>
    [sideName(p.side), typeName(p.type), p.stop === null ? "" : `스톱 ${w(p.stop)}`, p.price === null ? "" : w(p.price)]
      .filter((part) => part !== "")
      .join(" "),
  "ask.cancel_all": (p: { count: number }) => `미체결 주문 ${group(p.count)}건을 모두 취소할까요?`,
  "ask.correct_price": (p: { from: number; to: number }, { w }: Amounts) =>
    `${w(p.from)} 주문을 ${w(p.to)}으로 정정할까요? 순서가 맨 뒤로 갑니다.`,

  // The place in the queue
  "queue.ahead": (p: { ahead: number }) => (p.ahead > 0 ? `앞에 ${s(p.ahead)}` : "맨 앞"),

  "option.correct_to": (p: { price: number }, { w }: Amounts) => `${w(p.price)}으로 정정`,
  "option.correct": "정정하기",
  "option.reduce": "수량 줄이기",
  "option.wait": "기다리기",
  "option.cancel": "취소하기",
  "option.order": "다시 주문하기",

  // The connection
  "link.live": "실시간",
  "link.connecting": "연결하는 중입니다.",
  "link.offline": (p: { seconds: number; attempt: number }) =>
    `연결이 끊겼습니다. ${p.seconds}초 뒤 다시 연결합니다 (${p.attempt}번째).`,
  "link.offline_now": (p: { attempt: number }) => `연결이 끊겼습니다. 지금 다시 연결합니다 (${p.attempt}번째).`,
  "link.back": (p: { fills: number }) => `다시 연결되었습니다. 그 사이 체결 ${group(p.fills)}건이 있었습니다.`,
  "link.back_quiet": "다시 연결되었습니다. 빠진 것은 없습니다.",
  "link.reset": "오래 떨어져 있어 처음부터 다시 읽었습니다. 빠진 것은 없습니다.",
  "link.session_ended": "로그인이 끝났습니다. 다시 로그인해 주세요.",
  "kis.off": "시세를 아직 받지 않습니다.",
  "kis.log_in": "로그인하면 실시간 시세를 받습니다.",
  "kis.connecting": "KIS 시세에 연결하는 중입니다.",
  "kis.live": (p: { used: number; limit: number }) => `KIS 시세 실시간 ${p.used}/${p.limit}`,
  "kis.silent": (p: { seconds: number }) =>
    `KIS에서 ${p.seconds}초 동안 소식이 없습니다. 보이는 가격은 실시간이 아닙니다.`,
  "kis.retrying": (p: { seconds: number; attempt: number }) =>
    `KIS 시세 연결이 끊겼습니다. ${p.seconds}초 뒤 다시 연결합니다 (${p.attempt}번째).`,
  "kis.flapping": (p: { times: number; seconds: number }) =>
    `KIS 시세 연결이 자꾸 끊깁니다 (최근 ${p.times}번). ${p.seconds}초 뒤 다시 연결합니다.`,
  "kis.key_superseded": "KIS 접속키가 더는 유효하지 않아 새로 받고 있습니다.",
  "kis.in_use": (p: { seconds: number }) =>
    `다른 곳에서 같은 KIS 키를 쓰고 있습니다. ${p.seconds}초 동안 기다렸다가 다시 연결합니다.`,
  "kis.full": (p: { limit: number }) => `KIS는 한 번에 ${p.limit}건까지만 등록됩니다. 나머지 종목은 실시간이 아닙니다.`,
  "kis.no_approval": "KIS 접속키를 받지 못했습니다. 시세는 실시간이 아닙니다.",
  "kis.mixed_content": "https로 연 페이지에서는 브라우저가 KIS(ws://)에 직접 연결할 수 없습니다. http로 열어 주세요.",

  // Sign-up and log-in
  "session.name_short": "이름은 2자 이상 32자 이하로 입력해 주세요.",
  "session.name_letters": "이름에는 한글, 영문, 숫자와 . _ -만 쓸 수 있습니다.",
  "session.password_short": "비밀번호는 8자 이상이어야 합니다.",
  "session.password_long": "비밀번호가 너무 깁니다.",
} as const;
