// <dj-session-expiry-warning>: warns before a session ends, and keeps it if the visitor says so.
// Ends are kept as times of the wall clock, which goes on while a laptop sleeps.

const SECOND = 1000;
const RETRY = 5 * SECOND; // between two attempts to reach the site
const PATIENCE = 10 * SECOND; // until an attempt counts as failed
const FRESH = 60 * SECOND; // what is known may be this old when the visitor returns to the page
const LOGGING_OUT = 2 * SECOND; // what a logout in another tab may take
const LONGEST_TIMER = 3600 * SECOND; // one of more than 24 days would fire at once
const STEPS = [10, 30]; // the seconds that are said aloud; above them, each minute
const DISMISSED = "dj_sessions.dismissed";

const UNREACHABLE = "textOffline";
const REFUSED = "textRefused";
const OVER = { authenticated: false };

class SessionExpiryWarning extends HTMLElement {
  #parts = {};
  #idleEnd = Infinity;
  #absoluteEnd = Infinity;
  #longest = 0; // for which the session was known to last without use
  #knownAt = null; // the time at which these ends were so
  #triedAt = 0; // when the last attempt to reach the site began
  #trouble = ""; // UNREACHABLE, REFUSED or none
  #wantsToStay = false;
  #hasStayed = false;
  #isOver = false;
  #hasLeft = false;
  #said = ""; // what was due to be said last
  #asking = null;
  #timer = 0;
  #channel = null;
  #listening = null;

  connectedCallback() {
    for (const part of this.querySelectorAll("[data-part]")) this.#parts[part.dataset.part] = part;
    this.#parts.dialog = this.querySelector("dialog");
    this.#listen();
    let isOld = false;
    if (this.#knownAt === null) {
      this.#learn({ idle: this.dataset.idle, absolute: this.dataset.absolute }, Date.now());
      isOld = performance.getEntriesByType("navigation")[0]?.type === "back_forward";
      if (!isOld) this.#tell();
    }
    this.#check(isOld);
  }

  disconnectedCallback() {
    clearTimeout(this.#timer);
    this.#listening.abort();
    this.#channel.close();
  }

  #listen() {
    this.#listening = new AbortController();
    const { signal } = this.#listening;
    const { dialog, stay, form } = this.#parts;
    const on = (target, type, react) => target.addEventListener(type, react, { signal });
    const returned = () => document.hidden || this.#check(Date.now() - this.#knownAt > FRESH);
    on(document, "visibilitychange", returned);
    on(window, "focus", returned);
    on(window, "online", () => this.#check(this.#trouble === UNREACHABLE));
    on(window, "pageshow", (event) => event.persisted && this.#revive());
    on(stay, "click", () => this.#answered());
    on(dialog, "cancel", (event) => { // the Escape key
      event.preventDefault();
      this.#answered();
    });
    on(form, "submit", () => this.#channel.postMessage({ event: "loggingOut" }));
    this.#channel = new BroadcastChannel(`dj_sessions ${this.dataset.statusUrl}`);
    on(this.#channel, "message", ({ data }) => this.#hear(data));
  }

  // A page that the browser has kept as it was when the visitor left it.
  #revive() {
    this.#isOver = this.#hasLeft = false;
    this.#check(true);
  }

  // What is known, and what other tabs know

  #learn({ idle, absolute }, now) {
    const end = (seconds) => now + Number(seconds ?? Infinity) * SECOND;
    this.#know(end(idle), end(absolute), now);
  }

  #know(idleEnd, absoluteEnd, now) {
    this.#idleEnd = idleEnd;
    this.#absoluteEnd = absoluteEnd;
    this.#longest = Math.max(this.#longest, idleEnd - now);
    this.#knownAt = now;
    this.#trouble = "";
  }

  #tell() {
    const [idleEnd, absoluteEnd] = [this.#idleEnd, this.#absoluteEnd];
    this.#channel.postMessage({ event: "known", idleEnd, absoluteEnd });
  }

  #hear({ event, idleEnd, absoluteEnd }) {
    if (event === "over") this.#check(true);
    else if (event === "loggingOut") setTimeout(() => this.#check(true), LOGGING_OUT);
    else {
      this.#know(idleEnd, absoluteEnd, Date.now());
      this.#check();
    }
  }

  get #left() {
    return Math.min(this.#idleEnd, this.#absoluteEnd) - Date.now();
  }

  // Nobody stays beyond the absolute end.
  get #canStay() {
    return this.#idleEnd < this.#absoluteEnd;
  }

  // Where a session is shorter than what the site asks for, the warning would never go away.
  get #lead() {
    const lead = Number(this.dataset.lead) * SECOND;
    return this.#canStay ? Math.min(lead, this.#longest / 2) : lead;
  }

  get #isShown() {
    return this.#parts.dialog.open;
  }

  get #isDismissed() {
    return !this.#canStay && Math.abs(this.#absoluteEnd - dismissedEnd()) < RETRY;
  }

  // The loop: ask where that is due, show or hide, and come back when there is something to do.

  async #check(mustAsk = false) {
    if (this.#hasLeft) return;
    clearTimeout(this.#timer);
    if (mustAsk || this.#isToAsk()) await (this.#asking ??= this.#ask());
    if (!this.isConnected || this.#hasLeft) return;
    if (this.#isOver) {
      this.#leave();
      return;
    }
    this.#show();
    clearTimeout(this.#timer); // another check may have ended meanwhile
    this.#timer = setTimeout(() => this.#check(), this.#pause());
  }

  // Asked just before it appears, as another tab may have renewed the session, and when it is over.
  #isToAsk() {
    const left = this.#left;
    if (left > this.#lead) return false;
    if (this.#trouble === UNREACHABLE) return Date.now() - this.#triedAt >= RETRY;
    return left <= 0 || (!this.#isShown && !this.#isDismissed);
  }

  #pause() {
    const left = this.#left;
    if (this.#isShown) return left > 0 ? left % SECOND || SECOND : SECOND;
    if (left <= 0) return this.#trouble ? RETRY : SECOND;
    return Math.min(left > this.#lead ? left - this.#lead : left, LONGEST_TIMER);
  }

  async #ask() {
    const stays = this.#wantsToStay;
    const began = Date.now();
    this.#triedAt = began;
    try {
      this.#take(await this.#fetch(stays ? "POST" : "GET"), began, stays);
    } catch { // nobody is sent away because the network is down
      this.#trouble = UNREACHABLE;
    } finally {
      this.#asking = null;
    }
  }

  #take(answer, began, stays) {
    if (!this.isConnected) return;
    if (answer === REFUSED) {
      this.#trouble = REFUSED;
      this.#wantsToStay = false;
    } else if (answer.authenticated) {
      const before = this.#idleEnd;
      this.#learn(answer, began);
      if (stays) {
        this.#wantsToStay = false;
        this.#hasStayed = true;
        // An end that is near, and does not move, is one that nobody stays beyond.
        const isNear = this.#left <= this.#lead;
        if (isNear && this.#idleEnd < before + SECOND) this.#absoluteEnd = this.#idleEnd;
      }
      this.#tell();
    } else this.#isOver = true;
  }

  async #fetch(method) {
    const response = await fetch(this.dataset.statusUrl, {
      method,
      body: method === "POST" ? new URLSearchParams(new FormData(this.#parts.form)) : undefined,
      cache: "no-store",
      headers: { Accept: "application/json" },
      signal: AbortSignal.timeout(PATIENCE),
    });
    if (method === "POST" && response.status === 403) return REFUSED; // its CSRF token is old
    const isAnswer = response.headers.get("Content-Type")?.startsWith("application/json");
    // Middleware of the site may send those away who are not logged in.
    if (response.status === 401 || (response.redirected && !isAnswer)) return OVER;
    const answer = response.ok && isAnswer ? await response.json() : {};
    if (typeof answer.authenticated !== "boolean") throw new Error("This is not the site's answer.");
    return answer;
  }

  #leave() {
    this.#hasLeft = true;
    this.#channel.postMessage({ event: "over" });
    this.#write("text", this.dataset.textEnded); // seen where the next page is slow
    this.#write("notice", "");
    this.#write("stay", this.dataset.labelClose);
    // Without the fragment, for with one the browser would stay on the page.
    location.replace(this.dataset.endedUrl || location.pathname + location.search);
  }

  // "Stay signed in", "Close" and the Escape key
  async #answered() {
    if (this.#hasLeft) {
      this.#parts.dialog.close();
    } else if (this.#canStay) {
      this.#wantsToStay = true;
      await this.#asking;
      this.#check(true);
    } else {
      dismiss(this.#absoluteEnd);
      this.#check();
    }
  }

  // What is seen and said

  #show() {
    const left = this.#left;
    const isDue = left <= this.#lead && (left > 0 || this.#isShown) && !this.#isDismissed;
    if (!isDue) {
      this.#hide();
      return;
    }
    const seconds = Math.max(0, Math.ceil(left / SECOND));
    const { textIdle, textAbsolute, textUnknown, labelStay, labelClose } = this.dataset;
    const text = this.#canStay ? textIdle : textAbsolute;
    const mayBeOver = seconds === 0 && this.#trouble === UNREACHABLE;
    this.#write("text", mayBeOver ? textUnknown : this.#sentence(text, seconds));
    this.#write("stay", this.#canStay ? labelStay : labelClose);
    this.#write("notice", this.#trouble && this.dataset[this.#trouble]);
    this.#speak(text, seconds);
    this.#hasStayed = false;
    if (!this.#isShown) {
      this.#write("outcome", "");
      this.#parts.dialog.showModal();
    }
  }

  #hide() {
    this.#parts.dialog.close();
    if (this.#hasStayed) this.#write("outcome", this.dataset.textStayed);
    this.#write("spoken", "");
    this.#said = "";
    this.#hasStayed = this.#wantsToStay = false;
  }

  // When it appears, the dialog itself is read out; after that, what is new.
  #speak(text, seconds) {
    const step = STEPS.find((each) => seconds <= each) ?? Math.ceil(seconds / 60) * 60;
    const due = this.#sentence(text, step);
    // The time is the one that is seen, as the text may become another between two steps.
    if (this.#said && this.#said !== due) this.#write("spoken", this.#sentence(text, seconds));
    this.#said = due;
  }

  #write(name, text) {
    const part = this.#parts[name];
    if (part.textContent !== text) part.textContent = text;
  }

  #sentence(text, seconds) {
    return text.replace("{time}", () => inWords(seconds, this.lang));
  }
}

function inWords(seconds, language) {
  const parts = [[Math.floor(seconds / 60), "minute"], [seconds % 60, "second"]];
  const shown = parts.filter(([number]) => number > 0);
  const words = (shown.length ? shown : parts.slice(1)).map(([number, unit]) =>
    new Intl.NumberFormat(language, { style: "unit", unit, unitDisplay: "long" }).format(number));
  return new Intl.ListFormat(language, { type: "unit" }).format(words);
}

// The end that the visitor has closed the warning of, also on the pages before this one.

let dismissed = 0;

function dismissedEnd() {
  try {
    return Number(sessionStorage.getItem(DISMISSED));
  } catch { // a browser may forbid to store
    return dismissed;
  }
}

function dismiss(end) {
  dismissed = end;
  try {
    sessionStorage.setItem(DISMISSED, String(end));
  } catch { /* it is remembered on this page */ }
}

customElements.define("dj-session-expiry-warning", SessionExpiryWarning);
