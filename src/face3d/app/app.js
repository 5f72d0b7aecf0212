"use strict";
// Progress of what is being measured; forms that are sent once, and not where they are too large.
(() => {
  const base = document.body.dataset.base;
  const open = () => [...document.querySelectorAll(".state[data-job]")];
  let touched = false;

  const faults = document.getElementById("faults");
  if (faults) faults.focus();

  for (const form of document.querySelectorAll("form")) {
    form.addEventListener("input", () => { touched = true; });
    form.addEventListener("submit", (event) => {
      const files = [...form.querySelectorAll("input[type=file]")];
      const bytes = files.flatMap((f) => [...f.files]).reduce((sum, file) => sum + file.size, 0);
      const most = Number((files.find((f) => f.dataset.most) || { dataset: {} }).dataset.most || 0);
      if (most && bytes > most * 1048576) {
        event.preventDefault();
        window.alert(`These files have ${Math.round(bytes / 1048576)} MB together; ${most} MB at most can be added at a time.`);
        return;
      }
      // The button that was pressed goes with the form, so that it is disabled only afterwards.
      window.setTimeout(() => {
        for (const button of form.querySelectorAll("button")) button.disabled = true;
        if (event.submitter && bytes) event.submitter.textContent = "Being received and looked at …";
      });
    });
  }
  // A page that comes back out of the browser's memory must not keep its buttons disabled.
  window.addEventListener("pageshow", (event) => { if (event.persisted) window.location.reload(); });

  async function look() {
    let jobs;
    try {
      const answer = await fetch(`${base}/queue.json`, { headers: { accept: "application/json" } });
      if (!answer.ok) throw new Error(answer.statusText);
      jobs = await answer.json();
    } catch {
      for (const place of open()) place.querySelector(".step").textContent = "the app does not answer; is it still running?";
      window.setTimeout(look, 3000);
      return;
    }
    let ended = false;
    for (const place of open()) {
      const job = jobs[place.dataset.job];
      if (!job) { ended = true; continue; }
      const bar = place.querySelector("progress");
      if (job.total) { bar.max = job.total; bar.value = job.done; }
      place.querySelector(".step").textContent = job.step;
    }
    if (ended && !touched) { window.location.reload(); return; }
    if (ended) {
      for (const place of open()) {
        if (!jobs[place.dataset.job]) place.querySelector(".step").textContent = "has ended: load this page again when you have saved";
      }
    }
    const waiting = document.querySelector("[data-waiting]");
    if (waiting) waiting.textContent = `${Object.keys(jobs).length} still to be measured`;
    window.setTimeout(look, 700);
  }
  if (open().length) window.setTimeout(look, 300);
})();
