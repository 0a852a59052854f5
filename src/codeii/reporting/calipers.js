// Calipers on electrocardiograms that are drawn to scale: 25 mm are a second, 10 mm a millivolt.
"use strict";
(() => {
  const MS_PER_MM = 40, MV_PER_MM = 0.1, STEP_MM = 0.5;
  const KEYS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

  const calipers = (image) => {
    const frame = document.createElement("div");
    const box = document.createElement("div");
    const said = document.createElement("output");
    const help = document.createElement("p");
    frame.className = "paper";
    box.className = "caliper";
    box.hidden = true;
    frame.tabIndex = 0;
    frame.setAttribute("role", "application");
    frame.setAttribute("aria-label", "Calipers: drag, or arrow keys for one end and Shift with them for the other");
    help.className = "note";
    help.append("Calipers: drag over the tracing, or use the arrow keys, with Shift for the other end. ", said);
    image.replaceWith(frame);
    frame.append(image, box);
    frame.parentElement.after(help);

    const width = Number(image.dataset.mm);
    const perPixel = () => width / image.getBoundingClientRect().width;
    let from = null;
    let to = null;
    const draw = () => {
      const scale = 1 / perPixel();
      const left = Math.min(from.x, to.x), top = Math.min(from.y, to.y);
      const across = Math.abs(to.x - from.x), down = Math.abs(to.y - from.y);
      Object.assign(box.style, { left: `${left * scale}px`, top: `${top * scale}px`,
        width: `${across * scale}px`, height: `${down * scale}px` });
      box.hidden = false;
      const ms = across * MS_PER_MM;
      const rate = ms >= 200 ? `, ${Math.round(60000 / ms)} per minute` : "";
      said.textContent = `${Math.round(ms)} ms${rate}, ${(down * MV_PER_MM).toFixed(2)} mV`;
    };
    const place = (event) => {
      const edge = image.getBoundingClientRect();
      return { x: (event.clientX - edge.left) * perPixel(), y: (event.clientY - edge.top) * perPixel() };
    };
    frame.addEventListener("pointerdown", (event) => {
      if (event.pointerType === "touch") return; // a finger scrolls the page
      from = to = place(event);
      frame.setPointerCapture(event.pointerId);
      draw();
    });
    frame.addEventListener("pointermove", (event) => {
      if (!frame.hasPointerCapture(event.pointerId)) return;
      to = place(event);
      draw();
    });
    frame.addEventListener("dragstart", (event) => event.preventDefault());
    frame.addEventListener("keydown", (event) => {
      const step = KEYS[event.key];
      if (!step) return;
      event.preventDefault();
      from ??= { x: width / 4, y: width / 8 };
      to ??= { ...from };
      const end = { ...(event.shiftKey ? from : to) };
      end.x += step[0] * STEP_MM;
      end.y += step[1] * STEP_MM;
      if (event.shiftKey) from = end; else to = end;
      draw();
    });
  };

  for (const image of document.querySelectorAll("img[data-mm]")) calipers(image);
})();
