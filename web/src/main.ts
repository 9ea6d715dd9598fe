import { mount } from "svelte";
import { openFeed } from "./api/feed/client";
import { App as Model } from "./model/app";
import { STORAGE_KEY } from "./model/preferences";
import App from "./view/App.svelte";

const target = document.getElementById("app");
if (target === null) throw new Error("index.html has no #app");

/** Null where the browser forbids it. */
function storage(): Storage | null {
  try {
    return localStorage;
  } catch {
    return null;
  }
}

const app = new Model({ feed: openFeed(), storage: storage(), secure: location.protocol === "https:" });
addEventListener("storage", (event) => {
  if (event.key === STORAGE_KEY) app.preferences.follow(event.newValue);
});
mount(App, { target, props: { app } });
void app.start();
