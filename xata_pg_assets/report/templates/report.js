"use strict";
(() => {
  const canvas = document.querySelector(".canvas");
  const drawing = canvas.querySelector(".erd");
  const natural = drawing.viewBox.baseVal;
  const fitting = () => Math.min(1, (canvas.clientWidth - 2) / natural.width);
  let scale = 1;

  // The point under the pointer, or the middle, stays where it is
  const zoom = (wanted, x = canvas.clientWidth / 2, y = canvas.clientHeight / 2) => {
    const before = scale;
    scale = Math.min(4, Math.max(0.1, wanted));
    const [left, top] = [canvas.scrollLeft + x, canvas.scrollTop + y];
    drawing.style.width = `${natural.width * scale}px`;
    drawing.style.height = `${natural.height * scale}px`;
    canvas.scrollLeft = (left * scale) / before - x;
    canvas.scrollTop = (top * scale) / before - y;
  };

  document.querySelector(".tools").hidden = false;
  document.querySelectorAll("[data-zoom]").forEach((button) =>
    button.addEventListener("click", () => {
      const kind = button.dataset.zoom;
      zoom(kind === "fit" ? fitting() : scale * (kind === "in" ? 1.25 : 0.8));
    }),
  );
  canvas.addEventListener("wheel", (event) => {
    if (!event.ctrlKey) return;
    event.preventDefault();
    const corner = canvas.getBoundingClientRect();
    zoom(scale * Math.exp(-event.deltaY / 300), event.clientX - corner.left, event.clientY - corner.top);
  }, { passive: false });

  let held = null;
  canvas.addEventListener("pointerdown", (event) => {
    if (event.pointerType === "mouse" && event.button === 0) held = event; // fingers scroll by themselves
  });
  addEventListener("pointermove", (event) => {
    if (!held) return;
    canvas.classList.add("drag");
    canvas.scrollLeft -= event.clientX - held.clientX;
    canvas.scrollTop -= event.clientY - held.clientY;
    held = event;
  });
  addEventListener("pointerup", () => { held = null; canvas.classList.remove("drag"); });

  const edges = [...drawing.querySelectorAll(".edge")];
  drawing.querySelectorAll(".box").forEach((box) => {
    const mark = (hot) => edges.forEach((edge) => edge.classList.toggle("hot",
      hot && [edge.dataset.child, edge.dataset.parent].includes(box.dataset.table)));
    box.addEventListener("pointerenter", () => mark(true));
    box.addEventListener("pointerleave", () => mark(false));
  });

  if (fitting() > 0.6) zoom(fitting()); // on a phone it stays legible, and scrolls
})();
