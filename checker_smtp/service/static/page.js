/* Everything works without this file. With it a running check takes one line for each server, its seconds
   are counted, and its report is as high as what is in it. Steps and the report arrive while this runs. */
"use strict";
(() => {
  const began = performance.now();
  const rows = new Map();
  let told = false;

  /* One row for each subject: the older step of the same one is hidden, its place is taken. */
  function arrange(step) {
    const subject = step.dataset.subject;
    const row = rows.get(subject) || { place: rows.size };
    if (row.step) row.step.hidden = true;
    row.step = step;
    step.style.order = row.place;
    rows.set(subject, row);
  }

  function count() {
    const clock = document.querySelector(".elapsed");
    if (clock && !told) clock.textContent = `${Math.floor((performance.now() - began) / 1000)} s`;
  }

  /* The frame is as high as its document, also when a section in it is opened. */
  function fit(frame) {
    const content = frame.contentDocument && frame.contentDocument.documentElement;
    if (!content || frame.contentDocument.URL === "about:blank") return;
    const resize = () => { frame.style.height = `${Math.ceil(content.getBoundingClientRect().height)}px`; };
    new ResizeObserver(resize).observe(content);
    frame.classList.add("fitted");
  }

  function tell(outcome) {
    told = true;
    document.title = outcome.dataset.title;
    if (document.activeElement === document.body) outcome.focus({ preventScroll: true });
    const frame = document.querySelector("iframe.report");
    if (!frame) return;
    frame.addEventListener("load", () => fit(frame));
    if (frame.contentDocument && frame.contentDocument.readyState === "complete") fit(frame);
    /* a reload then shows the form, filled in, in place of asking whether to send it again */
    history.replaceState(null, "", document.querySelector("a.repeat").href);
  }

  function look() {
    for (const step of document.querySelectorAll(".steps li:not([style])")) arrange(step);
    const outcome = document.querySelector("#outcome");
    if (outcome && !told && document.readyState !== "loading") tell(outcome);
  }

  new MutationObserver(look).observe(document, { childList: true, subtree: true });
  setInterval(count, 200);
  document.addEventListener("readystatechange", look);
  look();
})();
