/** The SharedWorker: all tabs of the browser listen to one feed. */

import { FeedHub } from "./hub";
import type { FromFeed, ToFeed } from "./protocol";

const hub = new FeedHub({ origin: self.location.origin, sleepMs: 15_000 });

(self as unknown as { onconnect: (event: MessageEvent) => void }).onconnect = (event) => {
  const port = event.ports[0];
  if (port === undefined) return;
  const tab = hub.connect((message: FromFeed) => port.postMessage(message));
  port.onmessage = (message: MessageEvent<ToFeed>) => tab.take(message.data);
};
