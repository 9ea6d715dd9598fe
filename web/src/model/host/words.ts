/** The host's page in two languages. It is a page of its own, so that traders do not load its words. */

import type { Language } from "../numbers";

const ko = {
  title: "운영",
  "state.starting": "상태를 읽는 중입니다.",
  "state.ready": "정상입니다. 요청을 받습니다.",
  "state.not_ready": "요청을 다른 곳으로 보내야 합니다.",
  "state.lost": "거래소가 답하지 않습니다. 2초마다 다시 묻습니다.",
  "key.title": "운영자 키가 필요합니다",
  "key.how": "데이터 폴더의 admin.key 내용이나 admin 권한 API 키를 입력해 주세요. 이 탭에만 두고 저장하지 않습니다.",
  "key.label": "운영자 키",
  "key.open": "열기",
  invariants: "늘 같아야 하는 수",
  "invariants.as_of": "명령 {seq} 기준",
  "invariants.none": "읽기용 표를 지금 읽을 수 없습니다.",
  holds: "같음",
  broken: "다름",
  cash: "현금: 모든 계좌의 합 = 들어온 돈 − 나간 돈",
  shares: "주식: 모든 계좌의 합 = 들어온 주식",
  shares_by_instrument: "합이 맞지 않는 종목",
  reserved_shares: "묶인 주식 = 미체결 매도 수량",
  reserved_without_order: "주문 없이 묶인 현금·주식이 있는 계좌",
  overdrawn: "가진 것보다 많이 묶인 계좌",
  orders: "받은 주문 = 미체결 + 끝난 주문",
  stages: "단계별 걸린 시간",
  "stages.note": "최근 5분. 실선은 99 %, 점선은 50 %가 이 시간 안에 끝났다는 뜻입니다.",
  "stage.queue": "대기열",
  "stage.apply": "체결 엔진",
  "stage.journal": "저널 기록",
  "stage.events": "이벤트 로그",
  "stage.publish": "전달",
  "stage.commit": "엔진 안 전체",
  "stage.fsync": "디스크 기록(fsync)",
  "stage.request.order": "주문 요청",
  "stage.request.cancel": "취소 요청",
  "stage.request.query": "조회 요청",
  "plot.quiet": "이 시간에는 지나간 명령이 없습니다.",
  "plot.summary": "{name}: 50 % {p50}, 99 % {p99}, {count}건",
  queues: "대기와 지연",
  onseju_head_seq: "마지막 명령",
  onseju_queue_commands: "답을 기다리는 명령",
  onseju_ring_events: "스트림 메모리의 이벤트",
  onseju_ring_lag_commands: "스트림이 뒤처진 명령",
  onseju_projection_lag_commands: "표가 뒤처진 명령",
  onseju_projection_lag_seconds: "표가 뒤처진 시간",
  onseju_projection_waiters: "표를 기다리는 조회",
  onseju_projection_failures_total: "표 기록 실패",
  onseju_disk_free_bytes: "디스크 여유",
  rate: "초당 명령",
  open_orders: "미체결 주문",
  reserved_cash: "묶인 현금",
  uptime: "켜진 시간",
  results: "주문 결과",
  "results.none": "시작한 뒤 아직 주문이 없습니다.",
  result: "결과",
  reason: "사유",
  count: "건수",
  deeds: "운영 기록",
  "deeds.note": "저널에 남아 지울 수 없습니다.",
  "deeds.none": "아직 기록이 없습니다.",
  time: "시각",
  who: "누가",
  what: "무엇을",
  about: "대상",
  bootstrap: "admin.key",
  account: "계좌 {number}",
  language: "언어",
  theme: "화면",
  "theme.system": "자동",
  "theme.light": "밝게",
  "theme.dark": "어둡게",
};

export type HostKey = keyof typeof ko;

const en: Record<HostKey, string> = {
  title: "Operations",
  "state.starting": "Reading the status.",
  "state.ready": "All is well: requests are taken.",
  "state.not_ready": "Requests should go elsewhere.",
  "state.lost": "The exchange does not answer. Asking again every 2 s.",
  "key.title": "An admin key is needed",
  "key.how":
    "Enter what admin.key in the data folder holds, or an API key with the scope admin. It stays in this tab and is not stored.",
  "key.label": "Admin key",
  "key.open": "Open",
  invariants: "What must be equal",
  "invariants.as_of": "as of command {seq}",
  "invariants.none": "The tables cannot be read now.",
  holds: "equal",
  broken: "differs",
  cash: "Cash: sum over all accounts = paid in − paid out",
  shares: "Shares: sum over all accounts = paid in",
  shares_by_instrument: "Instruments whose sum is wrong",
  reserved_shares: "Reserved shares = open shares to sell",
  reserved_without_order: "Accounts with a reservation and no order",
  overdrawn: "Accounts that reserve more than they hold",
  orders: "Orders accepted = open + done",
  stages: "Time in each stage",
  "stages.note": "The last five minutes. Within the solid line 99 % were done, within the dotted one 50 %.",
  "stage.queue": "Queue",
  "stage.apply": "Matching",
  "stage.journal": "Journal",
  "stage.events": "Event log",
  "stage.publish": "Publishing",
  "stage.commit": "All of the exchange",
  "stage.fsync": "Flush to disk (fsync)",
  "stage.request.order": "Order requests",
  "stage.request.cancel": "Cancel requests",
  "stage.request.query": "Reads",
  "plot.quiet": "No command passed in this time.",
  "plot.summary": "{name}: 50 % {p50}, 99 % {p99}, {count} commands",
  queues: "Queues and lags",
  onseju_head_seq: "Last command",
  onseju_queue_commands: "Commands waiting for an answer",
  onseju_ring_events: "Events in the streams' memory",
  onseju_ring_lag_commands: "Commands that streams lack",
  onseju_projection_lag_commands: "Commands that tables lack",
  onseju_projection_lag_seconds: "Time that tables are behind",
  onseju_projection_waiters: "Reads waiting for tables",
  onseju_projection_failures_total: "Failures of the projector",
  onseju_disk_free_bytes: "Free on the disk",
  rate: "Commands a second",
  open_orders: "Open orders",
  reserved_cash: "Reserved cash",
  uptime: "Running for",
  results: "What became of orders",
  "results.none": "No order since the start.",
  result: "Result",
  reason: "Reason",
  count: "Count",
  deeds: "What hosts did",
  "deeds.note": "It stands in the journal and cannot be removed.",
  "deeds.none": "Nothing yet.",
  time: "Time",
  who: "Who",
  what: "What",
  about: "About",
  bootstrap: "admin.key",
  account: "account {number}",
  language: "Language",
  theme: "Theme",
  "theme.system": "Auto",
  "theme.light": "Light",
  "theme.dark": "Dark",
};

const CATALOGUES: Record<Language, Record<HostKey, string>> = { ko, en };

/** The text of a key, its `{names}` filled in. */
export function hostText(language: Language, key: HostKey, params: Record<string, string | number> = {}): string {
  return CATALOGUES[language][key].replace(/\{(\w+)\}/g, (_, name: string) => String(params[name] ?? ""));
}

/** The text of a key that the exchange names; what this page does not know is shown as it is. */
export function hostName(language: Language, name: string): string {
  return (CATALOGUES[language] as Record<string, string>)[name] ?? name;
}

/** Seconds as people read them: `83 µs`, `4.2 ms`, `1.5 s`. */
export function duration(seconds: number | null): string {
  if (seconds === null) return "–";
  if (seconds < 0.001) return `${Math.round(seconds * 1e6)} µs`;
  if (seconds < 1) return `${(seconds * 1000).toFixed(seconds < 0.01 ? 1 : 0)} ms`;
  return `${seconds.toFixed(1)} s`;
}

/** Days, hours, minutes: the two largest that are not zero. */
export function span(seconds: number, language: Language): string {
  const names = language === "ko" ? ["일", "시간", "분", "초"] : ["d", "h", "min", "s"];
  const parts = [
    Math.floor(seconds / 86400),
    Math.floor(seconds / 3600) % 24,
    Math.floor(seconds / 60) % 60,
    Math.floor(seconds) % 60,
  ];
  const first = parts.findIndex((part) => part > 0);
  if (first < 0) return `0${names[3]}`;
  const text = (index: number) => `${parts[index]}${language === "ko" ? "" : " "}${names[index]}`;
  return first === 3 ? text(3) : `${text(first)} ${text(first + 1)}`;
}
