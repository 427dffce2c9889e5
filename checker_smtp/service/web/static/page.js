/* The page works without this script. It shows one row for each server and the elapsed seconds of a running
   check, and fits the frame to the report. Steps and the report arrive while it runs. */
"use strict";
(() => {
  const began = performance.now();
  const rows = new Map();
  let finished = false;

  /* One row for each subject: a new step replaces the previous one of its subject. */
  function placeStep(step) {
    const subject = step.dataset.subject;
    const row = rows.get(subject) || { place: rows.size };
    if (row.step) row.step.hidden = true;
    row.step = step;
    step.style.order = row.place;
    rows.set(subject, row);
  }

  function showElapsed() {
    const clock = document.querySelector(".elapsed");
    if (clock && !finished) clock.textContent = `${Math.floor((performance.now() - began) / 1000)} s`;
  }

  /* The frame is as high as its document, and follows it when a section is opened. */
  function fitFrame(frame) {
    const content = frame.contentDocument && frame.contentDocument.documentElement;
    if (!content || frame.contentDocument.URL === "about:blank") return;
    const resize = () => { frame.style.height = `${Math.ceil(content.getBoundingClientRect().height)}px`; };
    new ResizeObserver(resize).observe(content);
    frame.classList.add("fitted");
  }

  function showOutcome(outcome) {
    finished = true;
    document.title = outcome.dataset.title;
    if (document.activeElement === document.body) outcome.focus({ preventScroll: true });
    const frame = document.querySelector("iframe.report");
    if (!frame) return;
    frame.addEventListener("load", () => fitFrame(frame));
    if (frame.contentDocument && frame.contentDocument.readyState === "complete") fitFrame(frame);
    /* relative addresses would refer to the new address of the page */
    for (const link of document.querySelectorAll("a[href]")) link.href = link.href;
    for (const form of document.forms) form.action = form.action;
    /* so that a reload shows the result, instead of the question to send the form again */
    history.replaceState(null, "", document.querySelector("a.keep").href);
  }

  function update() {
    for (const step of document.querySelectorAll(".steps li:not([style])")) placeStep(step);
    const outcome = document.querySelector("#outcome");
    if (outcome && !finished && document.readyState !== "loading") showOutcome(outcome);
  }

  new MutationObserver(update).observe(document, { childList: true, subtree: true });
  setInterval(showElapsed, 200);
  document.addEventListener("readystatechange", update);
  update();
})();
