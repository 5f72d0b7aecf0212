/* Rotatable views of a face on a page that opens offline, with no request to anywhere.

   Every <div data-scene> holds the scene as JSON (face3d.report.viewer writes it). Coordinates are the canonical head
   frame: mm, +x the subject's left, +y up, +z to the front. Where WebGL is missing or fails, the page keeps its
   pictures. */
const FRONT = [0, 0];
// So long after the last change the picture is drawn anew, finer; later where that takes longer than `LONG_MS`.
const STILL_MS = 120, STILL_SLOW_MS = 800, LONG_MS = 60;

const element = (tag, className, text) => {
  const made = document.createElement(tag);
  if (className) made.className = className;
  if (text !== undefined) made.textContent = text;
  return made;
};

const group = (name, ...inner) => {
  const made = element("div", "group");
  made.setAttribute("role", "group");
  made.setAttribute("aria-label", name);
  made.append(element("span", "name", name), ...inner);
  return made;
};

const button = (text, act, pressed) => {
  const made = element("button", "", text);
  made.type = "button";
  if (pressed !== undefined) made.setAttribute("aria-pressed", pressed);
  made.addEventListener("click", act);
  return made;
};

const minus = (text) => String(text).replace("-", "−");

class Viewer {
  constructor(root) {
    this.root = root;
    this.data = JSON.parse(root.querySelector("script").textContent);
    this.words = this.data.words;
    this.canvas = element("canvas");
    this.model = new Model(this.data);
    this.drawing = new Drawing(this.canvas, this.model);
    this.camera = { yaw: FRONT[0], pitch: FRONT[1], zoom: 1 };
    this.layer = this.data.layers[0].key;
    this.chosen = this.data.first;
    this.ghost = false;
    this.marks = false;
    this.panes = this.data.panes.map((pane) => ({ ...pane }));
    this.corrections = this.data.states.some((state) => state.scan) ? new Corrections(this) : null;
    this.build();
    this.choose(this.chosen);
    root.classList.add("live");
    new ResizeObserver(() => this.ask()).observe(this.stage);
    this.draw(false);
  }

  shown(pane) { return pane.states[Math.min(this.chosen, pane.states.length - 1)]; }

  /* What is around the picture. */

  build() {
    const words = this.words;
    this.stage = element("div", "stage");
    this.stage.style.aspectRatio = `${WIDE * this.panes.length} / ${HIGH}`;
    this.stage.classList.toggle("several", this.panes.length > 1);
    this.canvas.tabIndex = 0;
    this.canvas.setAttribute("role", "application");
    this.canvas.setAttribute("aria-label", `${this.data.what}. ${words.keys}`);
    this.stage.append(this.canvas);
    for (const pane of this.panes) {
      pane.title = element("span", "title");
      pane.sides = ["R", "L"].map((side) => element("span", "side", side));
      pane.sides.forEach((side, k) => { side.title = [words.right, words.left][k]; });
      this.stage.append(pane.title, ...pane.sides);
    }
    this.said = element("output", "said", words.hint);
    this.bar = element("div", "scalebar");
    const tools = element("div", "tools");
    const toggle = (text, name) => (this[`${name}Button`] = button(text, () => this.with(name, !this[name]), false));
    this.layers = [...this.data.layers, { key: "", title: words.plain }].map((layer) => {
      const made = button(layer.title, () => this.paint(layer.key), false);
      made.dataset.key = layer.key;
      return made;
    });
    tools.append(
      group(words.map, ...this.layers),
      group(words.view, ...[[words.toRight, -90], [words.halfRight, -45], [words.front, 0], [words.halfLeft, 45], [words.toLeft, 90]]
        .map(([text, yaw]) => button(text, () => this.look(yaw, 0))),
        button("+", () => this.near(1.25)), button("−", () => this.near(0.8))),
      group(words.beside, toggle(words.ghost, "ghost"), toggle(words.marks, "marks")),
    );
    if (!this.data.states.some((state) => Object.keys(state.marks).length)) this.marksButton.hidden = true;
    this.root.append(tools);
    this.most = Math.max(...this.panes.map((pane) => pane.states.length));
    if (this.most > 1 && !this.data.timed) this.root.append(this.picker());
    this.root.append(this.stage);
    if (this.most > 1 && this.data.timed) this.root.append(this.slider()); // beside the curves, which stand below
    if (this.corrections) this.root.append(...this.corrections.build());
    this.root.append(this.said, this.bar);
    if (this.data.what) this.root.append(element("p", "soft", this.data.what));
    this.listen();
    this.paint(this.layer);
  }

  with(name, on) {
    this[name] = on;
    this[`${name}Button`].setAttribute("aria-pressed", on);
    this.ask();
  }

  picker() {
    const pane = this.panes.find((p) => p.states.length === this.most);
    this.picks = pane.states.map((state, k) => button(this.data.states[state].choice, () => this.choose(k), false));
    return group(this.words.choose, ...this.picks);
  }

  slider() {
    this.range = element("input");
    Object.assign(this.range, { type: "range", min: 0, max: this.most - 1, step: 1, value: this.chosen });
    this.range.setAttribute("aria-label", this.words.time);
    this.range.addEventListener("input", () => this.choose(Number(this.range.value)));
    this.clock = element("span", "name");
    let playing = 0;
    const play = button(this.words.play, () => {
      playing = playing ? (clearInterval(playing), 0) : setInterval(() => this.choose((this.chosen + 1) % this.most), this.data.pause);
      play.textContent = playing ? this.words.stop : this.words.play;
    });
    const made = group(this.words.time, play, this.range, this.clock);
    made.classList.add("time");
    return made;
  }

  choose(k) {
    this.chosen = k;
    this.picks?.forEach((pick, i) => pick.setAttribute("aria-pressed", i === k));
    for (const pane of this.panes) pane.title.textContent = this.data.states[this.shown(pane)].name;
    if (this.range) {
      const state = this.data.states[this.shown(this.panes[this.panes.length - 1])];
      this.range.value = k;
      this.range.setAttribute("aria-valuetext", state.choice);
      this.clock.textContent = state.choice;
      this.root.dispatchEvent(new CustomEvent("face3d:time", { bubbles: true, detail: state.time }));
    }
    this.corrections?.list();
    this.ask();
  }

  /* The frame whose time (s) is nearest. */
  at(time) {
    const states = this.panes[this.panes.length - 1].states, away = states.map((s) => Math.abs(this.data.states[s].time - time));
    this.choose(away.indexOf(Math.min(...away)));
  }

  paint(key) {
    this.layer = key;
    this.layers.forEach((made) => made.setAttribute("aria-pressed", made.dataset.key === key));
    const layer = this.data.layers.find((l) => l.key === key);
    this.bar.replaceChildren();
    if (layer?.stops) {
      const rgb = (c) => `rgb(${c.map(Math.round).join(",")})`, plus = layer.low < 0 ? "+" : "";
      const swatch = (color, text) => {
        const made = element("span", "swatch", text), spot = element("i");
        spot.style.background = rgb(color);
        made.prepend(spot);
        return made;
      };
      const strip = element("div", "strip"), ticks = element("div", "ticks");
      strip.style.background = `linear-gradient(to right, ${layer.stops.map(rgb).join(",")})`;
      const apart = layer.contour * ((layer.high - layer.low) / layer.contour < 8 || layer.contour >= 1 ? 1 : 2);
      for (let value = layer.low; value <= layer.high + 1e-6; value += apart) {
        const tick = element("span", "", (value > 0 ? plus : "") + minus(Number(value.toFixed(3))));
        tick.style.left = `${(100 * (value - layer.low)) / (layer.high - layer.low)}%`;
        ticks.append(tick);
      }
      const scale = element("div", "scale");
      scale.append(strip, ticks);
      const beyond = element("div", "beyond");
      if (layer.low < 0) beyond.append(swatch(layer.below, `${this.words.beyond} ${minus(layer.low)} ${layer.unit}`));
      beyond.append(swatch(layer.above, `${this.words.beyond} ${plus}${layer.high} ${layer.unit}`));
      beyond.append(swatch(this.data.unmeasured, this.words.unmeasured));
      this.bar.append(element("b", "", `${layer.title}, ${layer.unit}`), scale, beyond);
    }
    if (layer?.note) this.bar.append(element("p", "soft", layer.note));
    this.ask();
  }

  look(yaw, pitch) { Object.assign(this.camera, { yaw, pitch }); this.ask(); }
  near(by) { this.camera.zoom = Math.min(8, Math.max(0.6, this.camera.zoom * by)); this.ask(); }
  turn(yaw, pitch) { this.look(this.camera.yaw + yaw, Math.min(85, Math.max(-85, this.camera.pitch + pitch))); }

  listen() {
    const canvas = this.canvas;
    let from = null;
    canvas.addEventListener("pointerdown", (event) => {
      canvas.setPointerCapture(event.pointerId);
      if (this.corrections?.take(event)) return;
      from = [event.clientX, event.clientY];
      this.read(event);
    });
    canvas.addEventListener("pointermove", (event) => {
      if (this.corrections?.drag(event)) return;
      if (!from) return this.read(event);
      this.turn(-0.5 * (event.clientX - from[0]), 0.5 * (event.clientY - from[1]));
      from = [event.clientX, event.clientY];
    });
    for (const end of ["pointerup", "pointercancel"]) {
      canvas.addEventListener(end, () => { from = null; this.corrections?.drop(end === "pointerup"); });
    }
    canvas.addEventListener("pointerleave", () => { if (!from) this.said.textContent = this.words.hint; });
    // Only where the picture was clicked before: a page that is scrolled over it must go on scrolling.
    canvas.addEventListener("wheel", (event) => {
      if (document.activeElement !== canvas) return;
      event.preventDefault();
      this.near(event.deltaY < 0 ? 1.1 : 0.9);
    }, { passive: false });
    const step = (by) => this.choose((this.chosen + by + this.most) % this.most);
    const keys = {
      ArrowLeft: () => this.turn(-10, 0), ArrowRight: () => this.turn(10, 0),
      ArrowUp: () => this.turn(0, 10), ArrowDown: () => this.turn(0, -10),
      "+": () => this.near(1.25), "-": () => this.near(0.8), 0: () => { this.camera.zoom = 1; this.look(...FRONT); },
      "[": () => step(-1), "]": () => step(1),
    };
    canvas.addEventListener("keydown", (event) => {
      if (this.corrections?.key(event)) return event.preventDefault();
      const act = event.ctrlKey || event.metaKey || event.altKey ? null : keys[event.key];
      if (act) { event.preventDefault(); act(); }
    });
    canvas.addEventListener("webglcontextlost", () => this.root.classList.remove("live"));
  }

  /* The picture. */

  ask() {
    if (this.asked) return;
    this.asked = true;
    clearTimeout(this.still);
    requestAnimationFrame(() => {
      this.asked = false;
      this.draw(false);
      this.still = setTimeout(() => this.refine(), this.slow ? STILL_SLOW_MS : STILL_MS);
    });
  }

  refine() {
    const from = performance.now();
    this.draw(true);
    if (this.slow !== undefined) return;
    this.drawing.wait();
    this.slow = performance.now() - from > LONG_MS;
  }

  axes() {
    const [a, b] = [this.camera.yaw, this.camera.pitch].map((d) => (d * Math.PI) / 180);
    const [s, c, t, d] = [Math.sin(a), Math.cos(a), Math.sin(b), Math.cos(b)];
    // Rows: the picture's right, its up, the way to the viewer, who stands `yaw` degrees to the subject's left.
    return [[c, 0, -s], [-t * s, d, -t * c], [d * s, t, d * c]];
  }

  /* CSS pixels of a pane and of a millimetre in it; panes stand `below` each other where there is no room beside. */
  frame() {
    const n = this.panes.length, below = this.stage.clientWidth < 260 * n && n > 1;
    const width = this.stage.clientWidth / (below ? 1 : n), height = this.stage.clientHeight / (below ? n : 1);
    return { width, height, below, perMm: Math.min(width / WIDE, height / HIGH) * this.camera.zoom };
  }

  /* The left upper corner of a pane (CSS pixels in the stage). */
  corner(k) {
    const { width, height, below } = this.frame();
    return below ? [0, k * height] : [k * width, 0];
  }

  draw(sharp) {
    const axes = this.axes(), shown = this.panes.map((pane) => this.shown(pane));
    const kinds = this.marks ? shown.map((state, k) => this.model.state(state).marks.map((_, i) => this.corrections?.kind(k, i) ?? 0)) : null;
    this.drawing.draw({ axes, ...this.frame(), shown, key: this.layer, ghost: this.ghost, kinds, sharp });
    this.panes.forEach((pane, k) => this.label(pane, k, axes));
  }

  /* Picture coordinates (CSS pixels in the stage, and mm towards the viewer) of a point in a pane. */
  project(point, k, axes) {
    const { width, height, perMm } = this.frame(), [left, top] = this.corner(k);
    const q = axes.map((row) => row.reduce((sum, r, i) => sum + r * (point[i] - CENTRE[i]), 0));
    return [left + width / 2 + q[0] * perMm, top + height / 2 - q[1] * perMm, q[2]];
  }

  label(pane, k, axes) {
    const { width, height } = this.frame(), [left, top] = this.corner(k);
    pane.title.style.left = `${left + 8}px`;
    pane.title.style.top = `${top + 6}px`;
    pane.title.style.maxWidth = `${width - 16}px`;
    pane.sides.forEach((side, i) => {
      const [x, y, depth] = this.project([i ? 84 : -84, -30, -40], k, axes);
      side.style.left = `${Math.min(left + width - 24, Math.max(left + 2, x - 11))}px`;
      side.style.top = `${Math.min(top + height - 26, Math.max(top + 26, y + 0.36 * height))}px`;
      side.style.opacity = depth < -45 ? 0.25 : 1;
    });
  }

  /* The pane `k` at a place of the stage (CSS pixels), its state, and what lies there: `hit`, null beside the face. */
  under(x, y, pane) {
    const { width, height, below, perMm } = this.frame(), axes = this.axes();
    const k = pane ?? Math.min(this.panes.length - 1, Math.max(0, Math.floor(below ? y / height : x / width)));
    const number = this.shown(this.panes[k]), state = this.model.state(number), [left, top] = this.corner(k);
    const hit = this.model.hit(state, axes, (x - left - width / 2) / perMm, (top + height / 2 - y) / perMm);
    return { k, number, state, hit, axes };
  }

  place(event) {
    const box = this.stage.getBoundingClientRect();
    return [event.clientX - box.left, event.clientY - box.top];
  }

  /* The landmark of a pane within `reach` pixels of a place and not hidden, the nearest; -1 for none. */
  markAt(x, y, { k, state, hit, axes }, reach) {
    let best = -1, least = reach;
    state.marks.forEach((_, i) => {
      const [a, b, depth] = this.project(state.spots.subarray(3 * i, 3 * i + 3), k, axes), away = Math.hypot(a - x, b - y);
      if (away < least && (!hit || depth > hit.depth - 8)) [best, least] = [i, away];
    });
    return best;
  }

  /* What lies under the pointer, in words. */
  read(event) {
    const [x, y] = this.place(event), there = this.under(x, y), { number, state, hit } = there;
    if (!hit) { this.said.textContent = this.words.hint; return; }
    const corner = hit.corners[hit.shares.indexOf(Math.max(...hit.shares))];
    const parts = [this.data.places.names[this.model.places[corner]] || this.words.elsewhere];
    const mark = this.marks ? this.markAt(x, y, there, 8) : -1;
    if (mark >= 0) parts.unshift(this.data.marks[state.marks[mark]] ?? state.marks[mark]);
    const layer = this.data.layers.find((l) => l.key === this.layer), map = this.model.map(number, this.layer);
    let value = "";
    if (map) {
      const known = hit.corners.every((c) => map[3 * c + 1]);
      const read = hit.corners.reduce((sum, c, i) => sum + hit.shares[i] * map[3 * c], 0);
      value = known ? `${layer.title} ${(layer.low < 0 && read >= 0 ? "+" : "") + minus(read.toFixed(1))} ${layer.unit}` : this.words.unmeasured;
    }
    this.said.textContent = [state.name, parts.join(", "), value].filter(Boolean).join(" · ");
  }
}
