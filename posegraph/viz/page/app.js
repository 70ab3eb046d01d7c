// The page: time, layers, pointer and keys.

const $ = (id) => document.getElementById(id);
const data = JSON.parse($("data").textContent);
const motion = new Motion(data);
const scene = new Scene($("view"), motion);
const hasForecast = data.models.length > 0;
const hasTruth = motion.known.frames > data.now;
const isZero = (model) => model.name.replaceAll("-", " ") === "zero velocity";
const zeroIsModel = motion.models.some(isZero);
const state = { frame: 0, playing: false, speed: 1, rest: 0, layers: { observed: true, forecast: true, truth: true, zero: hasForecast && !zeroIsModel } };
const chart = new Chart($("chart"), motion, (frame) => { pause(); seek(frame); });
const last = data.frames - 1;
let hover = null, waiting = false;

function element(name, text, attributes = {}) {
  const made = document.createElement(name);
  if (text !== undefined) made.textContent = text;
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  return made;
}

// ---- what is drawn -------------------------------------------------------------------------------------------------

function panels() {
  const { frame, layers } = state, known = motion.truth(frame), ahead = hasForecast && frame >= data.now;
  const base = [];
  if (known && !ahead && layers.observed) base.push({ pose: known, look: "observed" });
  const make = (name, model, pose) => {
    const bodies = [...base];
    if (ahead) {
      const future = layers.forecast || model === motion.zero ? pose : null;
      if (known && layers.truth) bodies.push({ pose: known, look: future ? "ghost" : "truth" });
      if (future) bodies.push({ pose: future, look: model === motion.zero ? "zero" : "forecast" });
    }
    return { name, model, bodies };
  };
  if (!hasForecast) return [{ name: "", model: null, bodies: base }];
  const shown = motion.models.map((model) => make(model.name, model, ahead && motion.forecast(model, frame)));
  if (layers.zero && !zeroIsModel) shown.push(make("zero velocity", motion.zero, ahead && motion.held(frame)));
  return shown;
}

function draw() {
  waiting = false;
  const shown = panels();
  scene.draw(shown, state.frame);
  showHover();
  showCaptions(shown);
  showTime();
  if (!chart.empty) {
    chart.draw(state.frame, state.layers.zero && !zeroIsModel);
    showLegend();
  }
}

function later() {
  if (!waiting) { waiting = true; requestAnimationFrame(draw); }
}

function millimetres(error) { return `${error.toFixed(error < 10 ? 1 : 0)} ${data.unit}`; }

function showCaptions(shown) {
  const box = $("captions");
  while (box.children.length > shown.length) box.lastChild.remove();
  while (box.children.length < shown.length) {
    const caption = element("div", undefined, { class: "caption" });
    caption.append(element("b"), element("span"));
    box.append(caption);
  }
  shown.forEach((panel, i) => {
    const caption = box.children[i], place = scene.placed[i];
    caption.style.left = `${place.x}px`;
    caption.style.top = `${place.y}px`;
    caption.style.width = `${place.width}px`;
    caption.firstChild.textContent = panel.name;
    const error = panel.model && motion.error(panel.model, state.frame);
    caption.lastChild.textContent = error === null || error === false ? "" : `error ${millimetres(error)}`;
  });
}

function showTime() {
  const { frame } = state, whole = Math.floor(frame + 1e-6);
  if (document.activeElement !== $("time") || state.playing) $("time").value = frame;
  $("time").setAttribute("aria-valuetext", `frame ${whole + data.first}`);
  const window = hasForecast && motion.window(motion.models[0], frame);
  const seconds = (frame / data.fps).toFixed(2);
  const lead = window ? Math.round(((whole - window.now + 1) * 1000) / data.fps) : 0;
  const phase = window ? `forecast +${lead} ms` : hasForecast && frame < data.now ? "observed" : "";
  $("clock").replaceChildren(phase, element("em", `${phase ? " · " : ""}frame ${whole + data.first} · ${seconds} s`));
  $("track").lastChild.style.width = `${(frame / Math.max(last, 1)) * 100}%`;
}

function showLegend() {
  const models = chart.curves.filter((model) => model !== motion.zero || (state.layers.zero && !zeroIsModel));
  const errors = models.map((model) => motion.error(model, state.frame));
  const lowest = Math.min(...errors.filter((error) => error !== null));
  $("legend").replaceChildren(...models.flatMap((model, i) => {
    const mark = element("i");
    mark.style.background = modelColour(model.index);
    const best = errors[i] !== null && errors[i] === lowest && models.length > 1;
    return [mark, element("span", model.name), element("b", errors[i] === null ? "–" : millimetres(errors[i]), best ? { class: "best" } : {})];
  }));
}

function showHover() {
  const tip = $("tip"), found = hover && scene.pick(hover.x, hover.y);
  tip.hidden = !found;
  if (!found) return;
  scene.mark(found.x, found.y);
  let text = data.skeleton.joints[found.joint];
  const known = motion.truth(state.frame), { pose, look } = found.body;
  if (known && (look === "forecast" || look === "zero")) {
    const j = 3 * found.joint;
    text += ` · ${millimetres(Math.hypot(pose[j] - known[j], pose[j + 1] - known[j + 1], pose[j + 2] - known[j + 2]))}`;
  }
  tip.textContent = text;
  const half = tip.offsetWidth / 2 + 6;
  tip.style.left = `${Math.min(Math.max(found.x, half), scene.width - half)}px`;
  tip.style.top = `${Math.max(found.y, 42)}px`;
}

// ---- time ----------------------------------------------------------------------------------------------------------

function seek(frame) {
  state.frame = Math.min(Math.max(frame, 0), last);
  state.rest = 0;
  later();
}

function pause() { setPlaying(false); }

function setPlaying(on) {
  on = on && last > 0;
  if (on && !state.playing) {
    if (state.frame >= last) state.frame = 0;
    state.clock = null;
    requestAnimationFrame(tick);
  }
  state.playing = on;
  $("play").setAttribute("aria-label", on ? "Pause" : "Play");
  $("play").querySelector("path").setAttribute("d", on ? "M6 4h4v16H6zM14 4h4v16h-4z" : "M7 4l13 8-13 8z");
  later();
}

// True speed: frames pass as the clock does. The end is held for a moment before it begins anew.
function tick(now) {
  if (!state.playing) return;
  const passed = state.clock === null ? 0 : (now - state.clock) / 1000;
  state.clock = now;
  if (state.frame >= last) {
    state.rest += passed;
    if (state.rest > 0.9) seek(0);
  } else {
    state.frame = Math.min(state.frame + passed * data.fps * state.speed, last);
    later();
  }
  requestAnimationFrame(tick);
}

// ---- controls ------------------------------------------------------------------------------------------------------

function toggle(layer) {
  const button = $("layers").querySelector(`[data-layer=${layer}]`);
  if (!button) return;
  state.layers[layer] = !state.layers[layer];
  button.setAttribute("aria-pressed", state.layers[layer]);
  later();
}

function build() {
  const length = (data.frames / data.fps).toFixed(2).replace(/0$/, "");
  const parts = [`${data.skeleton.joints.length} joints (${data.skeleton.name})`, `${data.frames} frames at ${+data.fps.toFixed(3)} a second`, `${length} s`];
  $("facts").textContent = parts.join(" · ");
  $("scale").textContent = `grid ${STEP / 1000} m`;
  if (data.unit !== "mm" || scene.camera.height > 6 * STEP) $("scale").hidden = true;
  $("time").max = last;
  const span = Math.max(last, 1), share = (frames) => `${(frames / span) * 100}%`;
  const segment = (kind, from, to) => {
    const part = element("i", undefined, { class: kind });
    part.style.left = share(from);
    part.style.width = share(to - from);
    $("track").append(part);
  };
  if (hasForecast) {
    segment("seen", 0, data.now);
    motion.models[0].windows.forEach((w, i, all) => segment("ahead", w.now, Math.min(w.now + w.length, i + 1 < all.length ? all[i + 1].now : Infinity, last)));
  }
  $("track").append(element("i", undefined, { class: "done" }));
  const layers = !hasForecast ? [] : [["observed", "Observed", "var(--observed)"], ["forecast", "Forecast", "linear-gradient(90deg, var(--right) 33%, var(--centre) 33% 66%, var(--left) 66%)"]];
  if (hasTruth && hasForecast) layers.push(["truth", "Truth", "var(--truth)"]);
  if (hasForecast && !zeroIsModel) layers.push(["zero", "Zero velocity", "var(--zero)"]);
  for (const [key, label, colour] of layers) {
    const button = element("button", undefined, { type: "button", "data-layer": key, "aria-pressed": state.layers[key] });
    const mark = element("i");
    mark.style.background = colour;
    button.append(mark, label);
    button.addEventListener("click", () => toggle(key));
    $("layers").append(button);
  }
  if (hasForecast && new Set(data.skeleton.sides).size > 1) {
    for (const side of SIDES) {
      const mark = element("span", side);
      mark.style.setProperty("--dot", `var(--${side})`);
      $("sides").append(mark);
    }
  }
  for (const [speed, label] of [[1, "1×"], [0.5, "½×"], [0.25, "¼×"]]) {
    const button = element("button", label, { type: "button", "aria-pressed": speed === 1, title: speed === 1 ? "true speed" : "slow motion" });
    button.addEventListener("click", () => {
      state.speed = speed;
      for (const other of $("speed").children) other.setAttribute("aria-pressed", other === button);
    });
    $("speed").append(button);
  }
  $("errors").hidden = chart.empty;
  const several = motion.models.some((model) => model.windows.length > 1);
  $("about").textContent = `mean over ${motion.joints} joints at each frame, root-relative${several ? "; dotted: mean of all forecasts shown" : ""}`;
  if (!hasForecast) $("controls").hidden = true;
  document.body.classList.toggle("alone", chart.empty);
}

function listen() {
  const view = $("view"), pointers = new Map();
  const spread = () => { const [a, b] = [...pointers.values()]; return Math.hypot(a.x - b.x, a.y - b.y); };
  const at = (event) => { const box = view.getBoundingClientRect(); return { x: event.clientX - box.left, y: event.clientY - box.top }; };
  view.addEventListener("pointerdown", (event) => { view.setPointerCapture(event.pointerId); pointers.set(event.pointerId, at(event)); hover = at(event); later(); });
  view.addEventListener("pointermove", (event) => {
    const place = at(event), before = pointers.get(event.pointerId);
    hover = event.pointerType === "mouse" ? place : null;
    if (before && pointers.size === 1) { hover = null; scene.camera.turn(place.x - before.x, place.y - before.y); }
    const apart = before && pointers.size === 2 ? spread() : 0;
    if (before) pointers.set(event.pointerId, place);
    if (apart) scene.camera.magnify(spread() / apart);
    later();
  });
  for (const name of ["pointerup", "pointercancel"]) view.addEventListener(name, (event) => pointers.delete(event.pointerId));
  view.addEventListener("pointerleave", () => { hover = null; later(); });
  view.addEventListener("wheel", (event) => { event.preventDefault(); scene.camera.magnify(Math.exp(-event.deltaY * 0.0012)); later(); }, { passive: false });
  view.addEventListener("dblclick", reset);
  $("reset").addEventListener("click", reset);
  $("play").addEventListener("click", () => setPlaying(!state.playing));
  $("time").addEventListener("input", () => { pause(); seek(Number($("time").value)); });
  document.addEventListener("keydown", onKey);
  window.addEventListener("hashchange", fromAddress);
  new ResizeObserver(() => { scene.resize(); draw(); }).observe(view);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => { scene.readColours(); later(); });
}

function reset() { scene.camera.reset(); later(); }

function onKey(event) {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  const step = event.shiftKey ? 10 : 1, frame = Math.round(state.frame);
  const keys = {
    " ": () => setPlaying(!state.playing),
    ArrowLeft: () => { pause(); seek(frame - step); },
    ArrowRight: () => { pause(); seek(frame + step); },
    Home: () => { pause(); seek(0); },
    End: () => { pause(); seek(last); },
    r: reset, R: reset,
    1: () => toggle("observed"), 2: () => toggle("forecast"), 3: () => toggle("truth"), 4: () => toggle("zero"),
  };
  if (event.key === " " && document.activeElement.tagName === "BUTTON" && document.activeElement.id !== "play") return;
  if (keys[event.key]) { event.preventDefault(); keys[event.key](); }
}

// "#frame=70" opens the page at a frame of the clip.
function fromAddress() {
  const found = /^#frame=(\d+)$/.exec(location.hash);
  if (found) { pause(); seek(Number(found[1]) - data.first); }
  return Boolean(found);
}

build();
listen();
scene.resize();
setPlaying(!fromAddress() && !matchMedia("(prefers-reduced-motion: reduce)").matches);
