/* Landmarks corrected by hand: dragged along the surface by mouse or finger, or moved by keys; undone; given back in the
   scan's own coordinates as a file that --landmarks takes (3D Slicer's markups). */
const STEP_MM = [0.5, 2]; // of an arrow key, and with Shift
const HIDDEN_MM = 8; // a place that lies so far behind the surface is not the one that is seen

class Corrections {
  constructor(viewer) {
    Object.assign(this, { viewer, words: viewer.words, data: viewer.data, on: false, chosen: null, held: null, moves: [] });
  }

  /* What stands below the picture. */
  build() {
    const words = this.words;
    this.switch = button(words.correct, () => this.turn(!this.on), false);
    this.names = element("select");
    this.names.setAttribute("aria-label", words.which);
    this.names.addEventListener("change", () => {
      const [k, i] = this.names.value.split(" ").map(Number);
      this.choose(this.names.value ? { k, i } : null);
      this.viewer.canvas.focus();
    });
    this.back = button(words.undo, () => this.undo());
    this.tools = element("span", "group");
    this.tools.append(this.names, this.back);
    this.saved = element("div", "corrected");
    this.told = element("p", "soft", words.how);
    this.turn(false);
    return [group(words.wrong, this.switch, this.tools), this.told, this.saved];
  }

  turn(on) {
    this.on = on;
    this.switch.setAttribute("aria-pressed", on);
    this.tools.hidden = this.told.hidden = !on;
    this.chosen = this.held = null;
    // A finger that drags a landmark must not scroll the page.
    this.viewer.canvas.style.touchAction = on ? "none" : "";
    if (on) this.viewer.with("marks", true);
    this.list();
    this.viewer.ask();
  }

  scan(k) { return this.data.states[this.viewer.shown(this.viewer.panes[k])].scan; }
  state(k) { return this.viewer.model.state(this.viewer.shown(this.viewer.panes[k])); }
  name(k, i) { const name = this.state(k).marks[i]; return this.data.marks[name] ?? name; }

  /* What the drawing shows of a landmark: moved or not, chosen or not. */
  kind(k, i) {
    const moved = this.moves.some((m) => m.number === this.viewer.shown(this.viewer.panes[k]) && m.i === i);
    return Number(moved) + (this.chosen?.k === k && this.chosen.i === i ? 2 : 0);
  }

  /* The landmarks of what is shown, to choose one by its name. */
  list() {
    if (!this.names) return;
    this.names.replaceChildren(element("option", "", this.words.which));
    this.names.firstChild.value = "";
    this.viewer.panes.forEach((_, k) => {
      if (!this.scan(k)) return;
      const of = element("optgroup");
      of.label = this.state(k).name || this.scan(k).name;
      this.state(k).marks.forEach((_, i) => {
        const one = element("option", "", this.name(k, i));
        one.value = `${k} ${i}`;
        of.append(one);
      });
      this.names.append(of);
    });
    if (this.chosen && this.chosen.number !== this.viewer.shown(this.viewer.panes[this.chosen.k])) this.chosen = null;
    this.names.value = this.chosen ? `${this.chosen.k} ${this.chosen.i}` : "";
    this.back.disabled = !this.moves.length;
  }

  choose(mark) {
    this.chosen = mark && { ...mark, number: this.viewer.shown(this.viewer.panes[mark.k]) };
    this.names.value = mark ? `${mark.k} ${mark.i}` : "";
    if (mark) this.viewer.said.textContent = `${this.name(mark.k, mark.i)}. ${this.words.nudge}`;
    this.viewer.ask();
  }

  spot({ number, i }) { return this.viewer.model.state(number).spots.subarray(3 * i, 3 * i + 3); }

  /* Where the chosen landmark comes to lie at a place of the stage: on the surface, or nowhere. */
  follow(x, y) {
    const { hit, state } = this.viewer.under(x, y, this.chosen.k);
    if (!hit) return false;
    this.spot(this.chosen).set(this.viewer.model.point(state, hit));
    return true;
  }

  /* A landmark under the pointer is taken; else the face turns. */
  take(event) {
    if (!this.on) return false;
    const [x, y] = this.viewer.place(event), there = this.viewer.under(x, y);
    const i = this.scan(there.k) ? this.viewer.markAt(x, y, there, event.pointerType === "touch" ? 26 : 12) : -1;
    if (i < 0) return false;
    this.choose({ k: there.k, i });
    const spot = this.spot(this.chosen), [a, b] = this.viewer.project(spot, there.k, there.axes);
    this.held = { off: [a - x, b - y], from: [...spot] }; // it moves as the pointer does, and is not hidden by a finger
    return true;
  }

  drag(event) {
    if (!this.held) return false;
    const [x, y] = this.viewer.place(event);
    this.follow(x + this.held.off[0], y + this.held.off[1]);
    this.viewer.said.textContent = this.far(this.held.from);
    this.viewer.ask();
    return true;
  }

  drop(kept) {
    if (!this.held) return;
    const { from } = this.held;
    this.held = null;
    if (kept) return this.done(from);
    this.spot(this.chosen).set(from);
    this.viewer.ask();
  }

  far(from) {
    const mm = Math.hypot(...from.map((v, c) => v - this.spot(this.chosen)[c]));
    return `${this.name(this.chosen.k, this.chosen.i)}: ${this.words.moved} ${mm.toFixed(1)} mm`;
  }

  /* The chosen landmark by keys; whether the key was for it. */
  key(event) {
    if (!this.on) return false;
    if (event.key === "z" && (event.ctrlKey || event.metaKey)) return this.undo(), true;
    if (event.ctrlKey || event.metaKey || event.altKey) return false;
    if (event.key === "u") return this.undo(), true;
    if (event.key === "n" || event.key === "p") return this.next(event.key === "n" ? 1 : -1), true;
    const way = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[event.key];
    if (!this.chosen || (!way && event.key !== "Escape")) return false;
    if (!way) return this.choose(null), true;
    const { perMm } = this.viewer.frame(), by = STEP_MM[Number(event.shiftKey)] * perMm, from = [...this.spot(this.chosen)];
    const [x, y, depth] = this.viewer.project(from, this.chosen.k, this.viewer.axes());
    const hit = this.viewer.under(x + by * way[0], y + by * way[1], this.chosen.k).hit;
    if (!hit || hit.depth > depth + HIDDEN_MM) {
      this.viewer.said.textContent = this.words.hidden;
      return true;
    }
    this.follow(x + by * way[0], y + by * way[1]);
    this.done(from);
    return true;
  }

  next(by) {
    const every = [...this.names.querySelectorAll("option")].map((one) => one.value).filter(Boolean);
    const at = every.indexOf(this.names.value), [k, i] = every[(at + by + every.length) % every.length].split(" ").map(Number);
    this.choose({ k, i });
  }

  done(from) {
    const { number, i } = this.chosen;
    if (from.every((v, c) => v === this.spot(this.chosen)[c])) return;
    this.moves.push({ number, i, from });
    this.tell(number);
    this.viewer.said.textContent = this.far(from);
  }

  undo() {
    const last = this.moves.pop();
    if (!last) return;
    this.spot(last).set(last.from);
    this.tell(last.number);
    this.viewer.said.textContent = this.words.undone;
  }

  /* The file of a state: landmarks that were given before, and those moved now, in the scan's own millimetres. */
  file(number) {
    const { scan } = this.data.states[number], state = this.viewer.model.state(number), [r, t] = [scan.turn, scan.shift];
    const moved = new Set(this.moves.filter((m) => m.number === number).map((m) => state.marks[m.i]));
    const control = [];
    state.marks.forEach((label, i) => {
      if (!moved.has(label) && !scan.given.includes(label)) return;
      const p = state.spots.subarray(3 * i, 3 * i + 3);
      const position = [0, 1, 2].map((k) => Number((r[k][0] * p[0] + r[k][1] * p[1] + r[k][2] * p[2] + t[k]).toFixed(3)));
      control.push({ id: String(control.length + 1), label, position, positionStatus: "defined" });
    });
    const list = { type: "Fiducial", coordinateSystem: "LPS", coordinateUnits: "mm", controlPoints: control };
    return { count: moved.size, text: JSON.stringify({ "@schema": this.data.markups, markups: [list] }, null, 1) };
  }

  /* After every change: what is to be saved, and word to whoever listens on the page. */
  tell(number) {
    this.list();
    this.viewer.ask();
    this.saved.replaceChildren();
    for (const n of [...new Set(this.moves.map((m) => m.number))].sort((a, b) => a - b)) {
      const { scan } = this.data.states[n], { count, text } = this.file(n), line = element("div", "group");
      const copy = button(this.words.copy, () => this.copy(text, line));
      line.append(element("b", "", `${scan.name}: ${count} ${this.words.corrected}`), button(`${this.words.save} ${scan.file}`, () => this.save(scan.file, text)), copy);
      this.saved.append(line);
    }
    if (this.moves.length) this.saved.append(element("p", "soft", this.data.again));
    const { scan, choice } = this.data.states[number], { text } = this.file(number);
    const detail = { scan: scan.name, expression: choice, file: scan.file, landmarks: text };
    this.viewer.root.dispatchEvent(new CustomEvent("face3d:landmarks", { bubbles: true, detail }));
  }

  save(name, text) {
    const link = element("a");
    link.href = URL.createObjectURL(new Blob([text], { type: "application/json" }));
    link.download = name;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 60000);
  }

  /* Where the clipboard is closed to the page, the text is shown and marked. */
  copy(text, line) {
    const shown = () => {
      const area = element("textarea", "", text);
      Object.assign(area, { readOnly: true, rows: 6 });
      area.setAttribute("aria-label", this.words.copy);
      line.querySelector("textarea")?.remove();
      line.append(area);
      area.select();
    };
    if (!navigator.clipboard) return shown();
    navigator.clipboard.writeText(text).then(() => { this.viewer.said.textContent = this.words.copied; }, shown);
  }
}
