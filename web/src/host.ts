import { mount } from "svelte";
import { Http } from "./api/http";
import { Host } from "./model/host/host";
import { Preferences, STORAGE_KEY } from "./model/preferences";
import HostPage from "./view/host/HostPage.svelte";

const target = document.getElementById("app");
if (target === null) throw new Error("host.html has no #app");

/** Null where the browser forbids it. */
function storage(): Storage | null {
  try {
    return localStorage;
  } catch {
    return null;
  }
}

const preferences = new Preferences(storage());
addEventListener("storage", (event) => {
  if (event.key === STORAGE_KEY) preferences.follow(event.newValue);
});
const host = new Host(new Http());
mount(HostPage, { target, props: { host, preferences } });
void host.start();
