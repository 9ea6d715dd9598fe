/** A tab's end of the feed: a port to the SharedWorker, or the feed itself where there is none. */

import { FeedHub } from "./hub";
import type { FeedPort, FromFeed, ToFeed } from "./protocol";

const ALIVE_MS = 30_000;

interface Wire {
  send(message: ToFeed): void;
  close(): void;
}

function shared(take: (message: FromFeed) => void): Wire {
  const worker = new SharedWorker(new URL("./worker.ts", import.meta.url), { type: "module", name: "onseju-feed" });
  worker.port.onmessage = (event: MessageEvent<FromFeed>) => take(event.data);
  worker.port.start();
  return {
    send: (message) => worker.port.postMessage(message),
    close: () => worker.port.close(),
  };
}

function inPage(take: (message: FromFeed) => void): Wire {
  const hub = new FeedHub({ origin: location.origin, sleepMs: 90_000 });
  const tab = hub.connect((message) => queueMicrotask(() => take(message)));
  return { send: tab.take, close: () => hub.stop() };
}

/** Opens the feed. Messages that come before anybody listens are lost: listen first, then say `hello`. */
export function openFeed(): FeedPort {
  const runs = new Set<(message: FromFeed) => void>();
  const take = (message: FromFeed) => runs.forEach((run) => run(message));
  const wire = typeof SharedWorker === "undefined" ? inPage(take) : shared(take);
  const alive = setInterval(() => wire.send({ kind: "alive" }), ALIVE_MS);
  const leave = () => wire.send({ kind: "bye" });
  const back = (event: PageTransitionEvent) => {
    if (!event.persisted) return;
    wire.send({ kind: "alive" }); // from the back-forward cache: it missed everything meanwhile
    take({ kind: "woke", sleptMs: 0 });
  };
  addEventListener("pagehide", leave);
  addEventListener("pageshow", back);
  return {
    send: (message) => wire.send(message),
    listen: (run) => {
      runs.add(run);
      return () => runs.delete(run);
    },
    close: () => {
      clearInterval(alive);
      removeEventListener("pagehide", leave);
      removeEventListener("pageshow", back);
      wire.send({ kind: "bye" });
      wire.close();
    },
  };
}
