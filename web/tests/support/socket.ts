import type { SocketLike } from "../../src/api/clockwork";

/** The other end of a WebSocket, in a test's hands. */
export class FakeSocket implements SocketLike {
  static opened: FakeSocket[] = [];

  binaryType: BinaryType = "blob";
  onopen: ((event: Event) => void) | null = null;
  onmessage: ((event: MessageEvent) => void) | null = null;
  onclose: ((event: CloseEvent) => void) | null = null;
  onerror: ((event: Event) => void) | null = null;
  readonly sent: string[] = [];
  closed = false;

  constructor(readonly url: string) {
    FakeSocket.opened.push(this);
  }

  static get last(): FakeSocket {
    const socket = FakeSocket.opened.at(-1);
    if (socket === undefined) throw new Error("no socket was opened");
    return socket;
  }

  send(data: string): void {
    this.sent.push(data);
  }

  close(): void {
    this.closed = true;
  }

  // What the other side does

  accept(): void {
    this.onopen?.({} as Event);
  }

  say(data: string | ArrayBuffer): void {
    this.onmessage?.({ data } as MessageEvent);
  }

  sayJson(value: unknown): void {
    this.say(JSON.stringify(value));
  }

  hangUp(code = 1006): void {
    this.onclose?.({ code } as CloseEvent);
  }

  get json(): Record<string, unknown>[] {
    return this.sent.map((text) => JSON.parse(text) as Record<string, unknown>);
  }
}
