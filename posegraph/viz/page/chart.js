// Errors against the true time, of the forecast that is shown and, where there are several, of their mean.

function svg(name, attributes, text) {
  const element = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  if (text !== undefined) element.textContent = text;
  return element;
}

// Steps of 1, 2 or 5 that make at most so many parts.
function niceStep(range, parts) {
  const raw = range / parts, power = 10 ** Math.floor(Math.log10(raw));
  return [1, 2, 5, 10].map((n) => n * power).find((step) => step >= raw);
}

function modelColour(index) { return index < 0 ? "var(--zero)" : `var(--c${index % 6})`; }

class Chart {
  constructor(element, motion, seek) {
    this.element = element;
    this.motion = motion;
    this.step = 1000 / motion.data.fps;
    this.curves = [...motion.models, motion.zero].filter((model) => model.windows.some((window) => window.errors));
    this.longest = Math.max(0, ...this.curves.flatMap((model) => model.windows.filter((w) => w.errors).map((w) => w.length)));
    this.highest = Math.max(0, ...this.curves.flatMap((model) => model.windows.flatMap((window) => window.errors || [])));
    const drag = (event) => {
      if (event.type === "pointerdown") element.setPointerCapture(event.pointerId);
      if (!event.buttons || !this.start) return;
      const x = event.clientX - element.getBoundingClientRect().left;
      const lead = Math.round(((x - this.left) / (this.right - this.left)) * this.longest) - 1;
      seek(this.start + Math.min(Math.max(lead, 0), this.longest - 1));
    };
    element.addEventListener("pointerdown", drag);
    element.addEventListener("pointermove", drag);
  }

  get empty() { return !this.curves.length; }

  // The time of the forecast that begins with frame `now`, in a curve.
  x(lead) { return this.left + ((lead + 1) / this.longest) * (this.right - this.left); }
  y(error) { return this.bottom - (error / (this.highest * 1.05 || 1)) * (this.bottom - this.top); }

  line(errors) { return errors.map((error, lead) => `${lead ? "L" : "M"}${this.x(lead).toFixed(1)} ${this.y(error).toFixed(1)}`).join(""); }

  draw(frame, withZero) {
    const { element, motion } = this, width = element.clientWidth, height = element.clientHeight;
    [this.left, this.right, this.top, this.bottom] = [42, width - 12, 10, height - 34];
    element.setAttribute("viewBox", `0 0 ${width} ${height}`);
    const parts = [];
    const rise = niceStep(this.highest || 1, 4);
    for (let error = 0; error <= this.highest * 1.05; error += rise) {
      const y = this.y(error);
      parts.push(svg("line", { x1: this.left, x2: this.right, y1: y, y2: y, class: "rule" }));
      parts.push(svg("text", { x: this.left - 8, y: y + 4, "text-anchor": "end" }, String(Math.round(error * 100) / 100)));
    }
    parts.push(svg("text", { x: this.left - 8, y: this.bottom + 18, "text-anchor": "end" }, motion.data.unit));
    const total = this.longest * this.step, pace = niceStep(total, width < 420 ? 4 : 8);
    for (let time = 0; time <= total + 1e-6; time += pace) {
      const x = this.left + (time / total) * (this.right - this.left);
      parts.push(svg("text", { x, y: this.bottom + 18, "text-anchor": "middle" }, String(Math.round(time))));
    }
    parts.push(svg("text", { x: this.right, y: height - 1, "text-anchor": "end" }, "ms after the last observed frame"));
    const shown = this.curves.filter((model) => withZero || model !== motion.zero);
    for (const model of shown) {
      const style = `stroke: ${modelColour(model.index)}`, known = model.windows.filter((window) => window.errors);
      if (known.length > 1) parts.push(svg("path", { d: this.line(mean(known)), class: "mean", style }));
      const current = motion.window(model, frame) || known[0];
      if (current.errors) parts.push(svg("path", { d: this.line(current.errors), class: model === motion.zero ? "curve zero" : "curve", style }));
    }
    const first = this.curves.length && (motion.window(this.curves[0], frame) || this.curves[0].windows[0]);
    this.start = first ? first.now : null;
    const lead = first ? frame - first.now : -1;
    if (first && lead >= 0 && lead <= this.longest - 1 + 1e-6) {
      const x = this.x(lead);
      parts.push(svg("line", { x1: x, x2: x, y1: this.top - 4, y2: this.bottom, class: "cursor" }));
      for (const model of shown) {
        const window = motion.window(model, frame);
        if (!window || !window.errors) continue;
        const a = Math.floor(frame - window.now), b = Math.min(a + 1, window.length - 1), t = frame - window.now - a;
        const error = window.errors[a] * (1 - t) + window.errors[b] * t;
        parts.push(svg("circle", { cx: x, cy: this.y(error), r: 5, style: `fill: ${modelColour(model.index)}` }));
      }
    }
    element.replaceChildren(...parts);
  }
}

function mean(windows) {
  const length = Math.min(...windows.map((window) => window.length));
  return Array.from({ length }, (_, lead) => windows.reduce((sum, window) => sum + window.errors[lead], 0) / windows.length);
}
