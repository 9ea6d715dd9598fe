/** One connection to KIS's WebSocket: registers what is wanted, answers PINGPONG, reads frames, and comes back by itself. */

import { Backoff } from "../backoff";
import { openWebSocket, REAL_TIME, type Clockwork, type OpenSocket, type SocketLike, type TimerId } from "../clockwork";
import type { KisStatus, LinkReason, LinkState, LinkStatus } from "../feed/protocol";
import { NoAnswer, Problem } from "../http";
import type { KisApproval } from "../types";
import { Decoder, isData } from "./codec";
import type { Decoded, Tr } from "./layouts";

export interface Registration {
  tr: Tr;
  key: string;
}

export const REGISTRATIONS_MAX = 41;

/** Silence after which prices are no longer called live. The simulator speaks every ten seconds; of the real service both
 * ten and about 110 seconds were measured. */
export const SILENT_MS = { simulator: 25_000, mock: 130_000, live: 130_000 } as const;

/** A key that another session holds: asking every second prolongs it; about 18 seconds of quiet have cleared it. */
const IN_USE_MS = 20_000;
const IN_USE_MOST_MS = 120_000;
const SPACING_MS = 60;
/** For so long an old connection is given to close before the next one begins. */
const CLOSING_MS = 2_000;
const NO_APPROVAL_MS = 30_000;
const FLAPPING_CLOSES = 3;

const CODES = {
  subscribed: "OPSP0000",
  unsubscribed: "OPSP0001",
  alreadySubscribed: "OPSP0002",
  notSubscribed: "OPSP0003",
  tooMany: "OPSP0008",
  unknownApproval: "OPSP0011",
  inUse: "OPSP8996",
  invalidTr: "OPSP8991",
  invalidKey: ["OPSP8992", "OPSP8993", "OPSP9990"],
} as const;

export interface KisSocketOptions {
  approve: () => Promise<KisApproval>;
  onRecords: (decoded: Decoded) => void;
  onLink: (status: LinkStatus) => void;
  onStatus: (status: KisStatus) => void;
  /** Where `url: null` points, by scheme: this server. */
  ownUrl: () => string;
  /** Whether the page was opened over https, from where `ws://` cannot be reached. */
  secure: boolean;
  open?: OpenSocket;
  time?: Clockwork;
  random?: () => number;
}

interface Header {
  tr_id?: unknown;
  tr_key?: unknown;
}

interface JsonMessage {
  header?: Header;
  body?: { rt_cd?: unknown; msg_cd?: unknown };
}

const nameOf = (registration: Registration): string => `${registration.tr}|${registration.key}`;

/** Whether `ws://` may be opened from an https page: only to this machine itself. */
export function isLoopback(url: string): boolean {
  const host = new URL(url).hostname;
  return host === "localhost" || host.endsWith(".localhost") || host === "[::1]" || /^127\.\d+\.\d+\.\d+$/.test(host);
}

export class KisSocket {
  readonly decoder = new Decoder();
  readonly #options: KisSocketOptions;
  readonly #time: Clockwork;
  readonly #open: OpenSocket;
  readonly #backoff: Backoff;
  #wanted: Registration[] = [];
  /** Sent and not refused: what the other side has, or will have. */
  readonly #registered = new Map<string, Registration>();
  readonly #refused = new Set<string>();
  #limit = REGISTRATIONS_MAX;
  #queue: string[] = [];
  #sender: TimerId | null = null;
  #approval: KisApproval | null = null;
  #socket: SocketLike | null = null;
  #timer: TimerId | null = null;
  #watch: TimerId | null = null;
  #state: LinkState = "off";
  #reason: LinkReason = null;
  #retryAt: number | null = null;
  #heardAt: number | null = null;
  #running = false;
  #inUse = 0;
  #superseded = false;
  #run = 0;

  constructor(options: KisSocketOptions) {
    this.#options = options;
    this.#time = options.time ?? REAL_TIME;
    this.#open = options.open ?? openWebSocket;
    this.#backoff = new Backoff({ firstMs: 500, mostMs: 15_000, steadyMs: 15_000, ...randomOf(options.random) });
  }

  get status(): LinkStatus {
    return {
      name: "kis",
      state: this.#state,
      reason: this.#reason,
      attempt: this.#state === "live" ? 0 : this.#backoff.attempt,
      retryAt: this.#retryAt,
      heardAt: this.#heardAt,
      closes: this.#backoff.closes(this.#time.now()),
    };
  }

  /** Whether the other side is this server: the simulator, or whoever gives the approval that is still lacking. */
  get isOurs(): boolean {
    return this.#reason !== "no_approval" && (this.#approval === null || this.#approval.mode === "simulator");
  }

  get kisStatus(): KisStatus {
    const used = this.#registered.size;
    return {
      mode: this.#approval?.mode ?? null,
      used,
      limit: this.#limit,
      left_out: this.#wanted.filter((each) => !this.#registered.has(nameOf(each))).map((each) => each.key),
      frames: this.decoder.frames,
      broken: Object.fromEntries(this.decoder.broken),
    };
  }

  /** What shall be registered, the most important first; what goes beyond the limit is left out. */
  want(registrations: readonly Registration[]): void {
    const unique = new Map(registrations.map((each) => [nameOf(each), each]));
    this.#wanted = [...unique.values()];
    if (this.#socket !== null && this.#isOpen()) this.#align();
    this.#tell();
  }

  start(): void {
    if (this.#running) return;
    this.#running = true;
    this.#backoff.reset();
    void this.#connect();
  }

  stop(): void {
    this.#running = false;
    this.#clearTimers();
    this.#drop();
    this.#approval = null;
    this.#set("off", null);
  }

  /** Connect now, whatever the back-off says. */
  retry(): void {
    if (!this.#running || this.#state === "live" || this.#state === "connecting") return;
    this.#clearTimers();
    this.#drop();
    void this.#connect();
  }

  /** Connect anew: after sleep an open socket proves nothing. */
  restart(): void {
    if (!this.#running) return;
    this.#clearTimers();
    const old = this.#socket;
    this.#drop();
    this.#backoff.reset();
    if (old === null) {
      void this.#connect();
      return;
    }
    // While the other side still holds the old connection, it calls the key in use.
    this.#set("connecting", null);
    const run = this.#run;
    const next = () => {
      if (run !== this.#run) return;
      this.#clearTimers();
      void this.#connect();
    };
    old.onclose = next;
    this.#timer = this.#time.setTimeout(next, CLOSING_MS);
  }

  // Connecting

  async #connect(): Promise<void> {
    const run = ++this.#run;
    this.#retryAt = null;
    this.#set("connecting", this.#reason === "key_superseded" ? "key_superseded" : null);
    if (this.#approval === null) {
      try {
        this.#approval = await this.#options.approve();
      } catch (error) {
        if (run === this.#run && this.#running) this.#notApproved(error);
        return;
      }
      if (run !== this.#run || !this.#running) return;
    }
    const url = this.#approval.url ?? this.#options.ownUrl();
    if (this.#options.secure && url.startsWith("ws:") && !isLoopback(url)) {
      this.#set("refused", "mixed_content");
      return;
    }
    let socket: SocketLike;
    try {
      socket = this.#open(url);
    } catch {
      this.#wait("lost"); // an address that cannot be opened at all
      return;
    }
    this.#socket = socket;
    socket.binaryType = "arraybuffer";
    socket.onopen = () => this.#opened(socket);
    socket.onmessage = (event) => {
      if (socket === this.#socket) this.#take(event.data);
    };
    socket.onclose = () => this.#closed(socket);
    socket.onerror = () => undefined; // a close follows
  }

  #notApproved(error: unknown): void {
    if (error instanceof NoAnswer || (error instanceof Problem && error.status >= 500)) {
      this.#wait("lost", error instanceof Problem ? (error.retryAfter ?? 0) * 1000 : 0);
      return;
    }
    if (!(error instanceof Problem)) throw error;
    this.#wait("no_approval", Math.max(NO_APPROVAL_MS, (error.retryAfter ?? 0) * 1000));
  }

  #isOpen(): boolean {
    return this.#heardAt !== null;
  }

  #opened(socket: SocketLike): void {
    if (socket !== this.#socket) return;
    this.#registered.clear();
    this.#refused.clear();
    this.#queue = [];
    this.#limit = this.#approval?.registrations ?? REGISTRATIONS_MAX;
    this.#heard();
    this.#align();
  }

  /** Ask for what is wanted and not registered, and take back what is no longer wanted: that first, to make room. */
  #align(): void {
    const room = this.#wanted.filter((each) => !this.#refused.has(nameOf(each))).slice(0, this.#limit);
    const wanted = new Set(room.map(nameOf));
    for (const [name, registration] of this.#registered) {
      if (wanted.has(name)) continue;
      this.#registered.delete(name);
      this.#request(registration, "2");
    }
    for (const registration of room) {
      if (this.#registered.has(nameOf(registration))) continue;
      this.#registered.set(nameOf(registration), registration);
      this.#request(registration, "1");
    }
    this.#tell();
  }

  #request({ tr, key }: Registration, type: "1" | "2"): void {
    const header = {
      approval_key: this.#approval?.approval_key ?? "",
      custtype: "P",
      tr_type: type,
      "content-type": "utf-8",
    };
    this.#queue.push(JSON.stringify({ header, body: { input: { tr_id: tr, tr_key: key } } }));
    this.#flush();
  }

  /** The real service wants requests apart from each other; the simulator does not mind. */
  #flush(): void {
    if (this.#sender !== null || this.#socket === null) return;
    const next = this.#queue.shift();
    if (next === undefined) return;
    this.#socket.send(next);
    if (this.#approval?.mode === "simulator") {
      this.#flush();
      return;
    }
    this.#sender = this.#time.setTimeout(() => {
      this.#sender = null;
      this.#flush();
    }, SPACING_MS);
  }

  // Hearing

  #take(data: unknown): void {
    this.#heard();
    if (typeof data === "string" && !isData(data)) {
      this.#takeJson(data);
      return;
    }
    if (typeof data !== "string" && !(data instanceof ArrayBuffer)) return;
    const decoded = this.decoder.decode(typeof data === "string" ? data : new Uint8Array(data));
    if (decoded === null) {
      this.#options.onStatus(this.kisStatus);
      return;
    }
    this.#works();
    this.#options.onRecords(decoded);
  }

  #takeJson(text: string): void {
    let message: JsonMessage;
    try {
      const value: unknown = JSON.parse(text);
      if (typeof value !== "object" || value === null) return;
      message = value;
    } catch {
      this.decoder.broken.set("not_a_frame", (this.decoder.broken.get("not_a_frame") ?? 0) + 1);
      return;
    }
    if (message.header?.tr_id === "PINGPONG") {
      this.#socket?.send(text);
      return;
    }
    const code = String(message.body?.msg_cd ?? "");
    const name = `${String(message.header?.tr_id ?? "")}|${String(message.header?.tr_key ?? "")}`;
    this.#takeAnswer(code, name);
  }

  #takeAnswer(code: string, name: string): void {
    switch (code) {
      case CODES.subscribed:
      case CODES.alreadySubscribed:
        this.#works();
        this.#tell();
        return;
      case CODES.unsubscribed:
      case CODES.notSubscribed:
        return;
      case CODES.unknownApproval:
        // Superseded, expired, or of a server that has begun anew: a new one, at once, but not in a circle.
        if (!this.#superseded) this.#backoff.reset();
        this.#superseded = true;
        this.#approval = null;
        this.#drop();
        this.#wait("key_superseded");
        return;
      case CODES.inUse: {
        const wait = Math.min(IN_USE_MS * 2 ** this.#inUse, IN_USE_MOST_MS);
        this.#inUse += 1;
        this.#drop();
        this.#wait("in_use", wait);
        return;
      }
      case CODES.tooMany:
        // The other side has less room than was thought: what is beyond it is told as not live.
        this.#registered.delete(name);
        this.#limit = Math.max(1, Math.min(this.#limit, this.#registered.size));
        this.#tell();
        return;
      default:
        if (code === CODES.invalidTr || (CODES.invalidKey as readonly string[]).includes(code)) {
          this.#registered.delete(name);
          this.#refused.add(name);
          this.#tell();
        }
    }
  }

  /** Something came: whatever it is, the socket is alive. */
  #heard(): void {
    this.#heardAt = this.#time.now();
    if (this.#state === "silent") this.#set("live", null);
    if (this.#watch === null) this.#watchOver(this.#silentMs());
  }

  /** A registration was answered, or data came. */
  #works(): void {
    this.#inUse = 0;
    this.#superseded = false;
    this.#backoff.live(this.#time.now());
    if (this.#state !== "live") this.#set("live", null);
  }

  #silentMs(): number {
    return SILENT_MS[this.#approval?.mode ?? "simulator"];
  }

  #watchOver(ms: number): void {
    this.#watch = this.#time.setTimeout(() => {
      this.#watch = null;
      if (this.#socket === null || this.#heardAt === null) return;
      const silent = this.#time.now() - this.#heardAt;
      const most = this.#silentMs();
      if (silent >= most * 2) {
        this.#drop();
        this.#wait("lost");
        return;
      }
      if (silent >= most) {
        this.#set("silent", "lost");
        this.#watchOver(most * 2 - silent);
        return;
      }
      this.#watchOver(most - silent);
    }, ms);
  }

  // Ending

  #closed(socket: SocketLike): void {
    if (socket !== this.#socket) return; // one that was dropped before
    this.#drop();
    this.#wait("lost");
  }

  #wait(reason: LinkReason, leastMs = 0): void {
    if (!this.#running) return;
    const now = this.#time.now();
    const ms = this.#backoff.ended(now, leastMs);
    const flapping = reason === "lost" && this.#backoff.closes(now) >= FLAPPING_CLOSES;
    this.#retryAt = now + ms;
    this.#set("waiting", flapping ? "flapping" : reason);
    this.#timer = this.#time.setTimeout(() => {
      this.#timer = null;
      void this.#connect();
    }, ms);
  }

  /** Let go of the socket: nothing that it still says counts. */
  #drop(): void {
    const socket = this.#socket;
    this.#socket = null;
    this.#heardAt = null;
    this.#queue = [];
    this.#registered.clear();
    if (this.#sender !== null) this.#time.clearTimeout(this.#sender);
    if (this.#watch !== null) this.#time.clearTimeout(this.#watch);
    this.#sender = this.#watch = null;
    socket?.close(1000);
  }

  #clearTimers(): void {
    this.#run += 1;
    if (this.#timer !== null) this.#time.clearTimeout(this.#timer);
    this.#timer = null;
    this.#retryAt = null;
  }

  #set(state: LinkState, reason: LinkReason): void {
    this.#state = state;
    this.#reason = reason;
    this.#tell();
  }

  #tell(): void {
    this.#options.onLink(this.status);
    this.#options.onStatus(this.kisStatus);
  }
}

function randomOf(random: (() => number) | undefined): { random?: () => number } {
  return random ? { random } : {};
}
