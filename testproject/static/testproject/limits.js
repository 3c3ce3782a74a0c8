// How long the session lasts, asked every two seconds: the request is passive, and keeps nobody.
const ends = document.querySelector("#ends");

function inWords(seconds) {
  if (seconds === null) return "no limit";
  const minutes = Math.floor(seconds / 60);
  return seconds < 7200 ? `${minutes} min ${seconds % 60} s` : `${Math.floor(minutes / 60)} hours`;
}

async function look() {
  const response = await fetch(ends.dataset.url, { cache: "no-store" });
  const remaining = await response.json();
  if (!remaining.authenticated) return;
  for (const shown of ends.querySelectorAll("[data-end]")) {
    shown.textContent = inWords(remaining[shown.dataset.end]);
  }
}

if (ends) setInterval(() => look().catch(() => { /* the network is down: the next time */ }), 2000);
