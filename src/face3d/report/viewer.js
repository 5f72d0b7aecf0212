/* Rotatable views of a face on a page that opens offline: raw WebGL 2, no library, no request to anywhere.

   Every <div data-scene> holds the scene as JSON (face3d.report.viewer writes it). Coordinates are the canonical head
   frame: mm, +x the subject's left, +y up, +z to the front. The projection is parallel, so that a millimetre is as long
   at the ear as at the nose. Where WebGL is missing or fails, the page keeps its pictures. */
"use strict";
(() => {
  const WIDE = 190, HIGH = 250; // mm, as in the page's pictures
  const FRONT = [0, 0];

  const VERTEX = `#version 300 es
    in vec3 place; in vec3 normal; in vec3 value; in vec3 tint;
    uniform mat3 turn; uniform vec3 centre, flip; uniform vec2 scale; uniform float lift, size;
    out vec3 facing, reading, colour;
    void main() {
      vec3 q = turn * (place * flip - centre);
      gl_Position = vec4(q.xy * scale, -(q.z + lift) / 500.0, 1.0);
      gl_PointSize = size;
      facing = turn * (normal * flip); reading = value; colour = tint;
    }`;
  const FRAGMENT = `#version 300 es
    precision highp float;
    in vec3 facing, reading, colour;
    uniform sampler2D ramp; uniform vec3 below, above, unmeasured; uniform vec2 range; uniform float contour;
    uniform int mode; // 0 map, 1 colour as scanned, 2 plain, 3 ghost, 4 landmark
    uniform float sideways; // -1 in a mirror, which turns triangles round
    out vec4 seen;
    void main() {
      if (mode == 4) {
        float away = length(gl_PointCoord - 0.5);
        if (away > 0.5) discard;
        seen = vec4(away > 0.36 ? vec3(1.0) : vec3(0.69, 0.18, 0.05), 1.0);
        return;
      }
      vec3 base = vec3(0.88);
      if (mode == 1) base = colour;
      float line = fwidth(reading.z);
      if (mode == 0) {
        if (reading.y < 0.999) base = unmeasured;
        else if (reading.x > range.y) base = above;
        else if (reading.x < range.x) base = below;
        else base = texture(ramp, vec2((reading.x - range.x) / (range.y - range.x), 0.5)).rgb;
        float level = reading.z / contour, nearest = round(level);
        if (reading.y > 0.999 && nearest != 0.0 && abs(level - nearest) < 0.7 * line / contour &&
            nearest * contour <= range.y && nearest * contour >= range.x) base *= 0.55;
      }
      vec3 n = normalize(facing);
      if (n.z < 0.0) n = -n;
      float lit = clamp(dot(n, vec3(0.0, 0.2425, 0.9701)), 0.0, 1.0);
      float tone = 1.0 - (mode == 0 ? 0.5 : 0.65) * (1.0 - lit);
      if (mode == 3) { seen = vec4(vec3(0.25, 0.45, 0.75) * (0.5 + 0.5 * lit), 0.45); return; }
      seen = vec4(base * (gl_FrontFacing == (sideways > 0.0) ? tone : 0.25), 1.0);
    }`;

  const element = (tag, className, text) => {
    const made = document.createElement(tag);
    if (className) made.className = className;
    if (text !== undefined) made.textContent = text;
    return made;
  };

  class Viewer {
    constructor(root) {
      this.root = root;
      this.data = JSON.parse(root.querySelector("script").textContent);
      this.words = this.data.words;
      this.canvas = element("canvas");
      this.gl = this.canvas.getContext("webgl2", { antialias: true, alpha: false });
      if (!this.gl) throw new Error("no WebGL 2");
      this.model = new Model(this.data);
      this.camera = { yaw: FRONT[0], pitch: FRONT[1], zoom: 1 };
      this.layer = this.data.layers[0].key;
      this.chosen = this.data.first;
      this.ghost = false;
      this.marks = false;
      this.program();
      this.panes = this.data.panes.map((pane) => this.pane(pane));
      this.build();
      this.choose(this.chosen);
      root.classList.add("live");
      new ResizeObserver(() => this.ask()).observe(this.stage);
      this.draw();
    }

    /* What is drawn with. */

    program() {
      const gl = this.gl, program = gl.createProgram();
      for (const [kind, text] of [[gl.VERTEX_SHADER, VERTEX], [gl.FRAGMENT_SHADER, FRAGMENT]]) {
        const shader = gl.createShader(kind);
        gl.shaderSource(shader, text);
        gl.compileShader(shader);
        if (!gl.getShaderParameter(shader, gl.COMPILE_STATUS)) throw new Error(gl.getShaderInfoLog(shader));
        gl.attachShader(program, shader);
      }
      ["place", "normal", "value", "tint"].forEach((name, at) => gl.bindAttribLocation(program, at, name));
      gl.linkProgram(program);
      gl.useProgram(program);
      this.at = (name) => gl.getUniformLocation(program, name);
      const index = gl.createBuffer();
      gl.bindBuffer(gl.ELEMENT_ARRAY_BUFFER, index);
      gl.bufferData(gl.ELEMENT_ARRAY_BUFFER, this.model.faces, gl.STATIC_DRAW);
      this.index = index;
      gl.uniform3fv(this.at("centre"), CENTRE);
      gl.uniform3fv(this.at("unmeasured"), this.data.unmeasured.map((c) => c / 255));
      this.ramps = Object.fromEntries(this.data.layers.filter((l) => l.stops).map((l) => [l.key, this.ramp(l)]));
      gl.enable(gl.DEPTH_TEST);
      gl.enable(gl.SCISSOR_TEST);
      gl.blendFunc(gl.SRC_ALPHA, gl.ONE_MINUS_SRC_ALPHA);
      gl.clearColor(1, 1, 1, 1);
    }

    ramp(layer) {
      const gl = this.gl, texture = gl.createTexture(), rows = new Uint8Array(256 * 4);
      for (let i = 0; i < 256; i++) {
        const place = (i / 255) * (layer.stops.length - 1), k = Math.min(Math.floor(place), layer.stops.length - 2);
        for (let c = 0; c < 3; c++) {
          rows[4 * i + c] = layer.stops[k][c] + (place - k) * (layer.stops[k + 1][c] - layer.stops[k][c]);
        }
        rows[4 * i + 3] = 255;
      }
      gl.bindTexture(gl.TEXTURE_2D, texture);
      gl.texImage2D(gl.TEXTURE_2D, 0, gl.RGBA, 256, 1, 0, gl.RGBA, gl.UNSIGNED_BYTE, rows);
      for (const [name, value] of [
        [gl.TEXTURE_MIN_FILTER, gl.LINEAR], [gl.TEXTURE_MAG_FILTER, gl.LINEAR],
        [gl.TEXTURE_WRAP_S, gl.CLAMP_TO_EDGE], [gl.TEXTURE_WRAP_T, gl.CLAMP_TO_EDGE],
      ]) gl.texParameteri(gl.TEXTURE_2D, name, value);
      return texture;
    }

    pane(pane) {
      const gl = this.gl, made = { ...pane, array: gl.createVertexArray(), buffers: [], shown: "" };
      gl.bindVertexArray(made.array);
      gl.bindBuffer(gl.ELEMENT_ARRAY_BUFFER, this.index);
      for (let k = 0; k < 4; k++) {
        made.buffers.push(gl.createBuffer());
        gl.bindBuffer(gl.ARRAY_BUFFER, made.buffers[k]);
        gl.vertexAttribPointer(k, 3, gl.FLOAT, false, 0, 0);
        if (k < 3 || this.data.colour) gl.enableVertexAttribArray(k);
      }
      if (this.data.colour) {
        const packed = unpacked(this.data.colour, 2), rgb = new Float32Array(3 * packed.length);
        packed.forEach((n, i) => rgb.set([Math.floor(n / 400) / 19, (Math.floor(n / 20) % 20) / 19, (n % 20) / 19], 3 * i));
        gl.bufferData(gl.ARRAY_BUFFER, rgb, gl.STATIC_DRAW);
      }
      made.dots = gl.createVertexArray();
      made.spots = gl.createBuffer();
      gl.bindVertexArray(made.dots);
      gl.bindBuffer(gl.ARRAY_BUFFER, made.spots);
      gl.vertexAttribPointer(0, 3, gl.FLOAT, false, 0, 0);
      gl.enableVertexAttribArray(0);
      gl.bindVertexArray(null);
      return made;
    }

    shown(pane) { return pane.states[Math.min(this.chosen, pane.states.length - 1)]; }

    /* What is around the picture. */

    build() {
      const words = this.words;
      this.stage = element("div", "stage");
      this.stage.style.aspectRatio = `${WIDE * this.panes.length} / ${HIGH}`;
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
      const toggle = (text, name) => {
        const made = button(text, () => {
          this[name] = !this[name];
          made.setAttribute("aria-pressed", this[name]);
          this.ask();
        }, false);
        return made;
      };
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
      this.root.append(tools);
      const choices = Math.max(...this.panes.map((pane) => pane.states.length));
      if (choices > 1) this.root.append(this.data.timed ? this.slider(choices, group, button) : this.picker(choices, group, button));
      this.root.append(this.stage, this.bar, this.said);
      if (this.data.what) this.root.append(element("p", "soft", this.data.what));
      this.listen();
      this.paint(this.layer);
    }

    picker(choices, group, button) {
      const pane = this.panes.find((p) => p.states.length === choices);
      this.picks = pane.states.map((state, k) => button(this.data.states[state].choice, () => this.choose(k), false));
      return group(this.words.choose, ...this.picks);
    }

    slider(choices, group, button) {
      this.range = element("input");
      Object.assign(this.range, { type: "range", min: 0, max: choices - 1, step: 1, value: this.chosen });
      this.range.setAttribute("aria-label", this.words.time);
      this.range.addEventListener("input", () => this.choose(Number(this.range.value)));
      this.clock = element("span", "name");
      let playing = 0;
      const play = button(this.words.play, () => {
        playing = playing ? (clearInterval(playing), 0) : setInterval(() => this.choose((this.chosen + 1) % choices), this.data.pause);
        play.textContent = playing ? this.words.stop : this.words.play;
      });
      return group(this.words.time, play, this.range, this.clock);
    }

    choose(k) {
      this.chosen = k;
      this.picks?.forEach((pick, i) => pick.setAttribute("aria-pressed", i === k));
      if (this.range) this.range.value = k;
      for (const pane of this.panes) pane.title.textContent = this.data.states[this.shown(pane)].name;
      if (this.clock) this.clock.textContent = this.data.states[this.shown(this.panes[this.panes.length - 1])].choice;
      this.ask();
    }

    paint(key) {
      this.layer = key;
      this.layers.forEach((made) => made.setAttribute("aria-pressed", made.dataset.key === key));
      const layer = this.data.layers.find((l) => l.key === key);
      this.bar.replaceChildren();
      if (layer?.stops) {
        const rgb = (c) => `rgb(${c.map(Math.round).join(",")})`;
        const swatch = (color, text) => {
          const made = element("span", "swatch", text), spot = element("i");
          spot.style.background = rgb(color);
          made.prepend(spot);
          return made;
        };
        const strip = element("div", "strip"), ticks = element("div", "ticks");
        strip.style.background = `linear-gradient(to right, ${layer.stops.map(rgb).join(",")})`;
        for (let mm = layer.low; mm <= layer.high + 1e-6; mm += layer.contour) {
          const tick = element("span", "", (layer.low < 0 && mm > 0 ? "+" : "") + String(mm).replace("-", "−"));
          tick.style.left = `${(100 * (mm - layer.low)) / (layer.high - layer.low)}%`;
          ticks.append(tick);
        }
        const scale = element("div", "scale");
        scale.append(strip, ticks);
        const beyond = element("div", "beyond");
        if (layer.low < 0) beyond.append(swatch(layer.below, `${this.words.beyond} ${String(layer.low).replace("-", "−")} mm`));
        beyond.append(swatch(layer.above, `${this.words.beyond} ${layer.low < 0 ? "+" : ""}${layer.high} mm`));
        beyond.append(swatch(this.data.unmeasured, this.words.unmeasured));
        this.bar.append(element("b", "", `${layer.title}, mm`), scale, beyond);
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
        from = [event.clientX, event.clientY];
        canvas.setPointerCapture(event.pointerId);
        this.read(event);
      });
      canvas.addEventListener("pointermove", (event) => {
        if (!from) return this.read(event);
        this.turn(-0.5 * (event.clientX - from[0]), 0.5 * (event.clientY - from[1]));
        from = [event.clientX, event.clientY];
      });
      for (const end of ["pointerup", "pointercancel"]) canvas.addEventListener(end, () => { from = null; });
      canvas.addEventListener("pointerleave", () => { if (!from) this.said.textContent = this.words.hint; });
      // Only where the picture was clicked before: a page that is scrolled over it must go on scrolling.
      canvas.addEventListener("wheel", (event) => {
        if (document.activeElement !== canvas) return;
        event.preventDefault();
        this.near(event.deltaY < 0 ? 1.1 : 0.9);
      }, { passive: false });
      const step = (by) => {
        const most = Math.max(...this.panes.map((pane) => pane.states.length));
        this.choose((this.chosen + by + most) % most);
      };
      const keys = {
        ArrowLeft: () => this.turn(-10, 0), ArrowRight: () => this.turn(10, 0),
        ArrowUp: () => this.turn(0, 10), ArrowDown: () => this.turn(0, -10),
        "+": () => this.near(1.25), "-": () => this.near(0.8), 0: () => { this.camera.zoom = 1; this.look(...FRONT); },
        "[": () => step(-1), "]": () => step(1),
      };
      canvas.addEventListener("keydown", (event) => {
        const act = event.ctrlKey || event.metaKey || event.altKey ? null : keys[event.key];
        if (act) { event.preventDefault(); act(); }
      });
      canvas.addEventListener("webglcontextlost", () => this.root.classList.remove("live"));
    }

    /* The picture. */

    ask() {
      if (this.asked) return;
      this.asked = true;
      requestAnimationFrame(() => { this.asked = false; this.draw(); });
    }

    axes() {
      const [a, b] = [this.camera.yaw, this.camera.pitch].map((d) => (d * Math.PI) / 180);
      const [s, c, t, d] = [Math.sin(a), Math.cos(a), Math.sin(b), Math.cos(b)];
      // Rows: the picture's right, its up, the way to the viewer, who stands `yaw` degrees to the subject's left.
      return [[c, 0, -s], [-t * s, d, -t * c], [d * s, t, d * c]];
    }

    /* CSS pixels of a pane and of a millimetre in it. */
    frame() {
      const width = this.stage.clientWidth / this.panes.length, height = this.stage.clientHeight;
      return { width, height, perMm: Math.min(width / WIDE, height / HIGH) * this.camera.zoom };
    }

    draw() {
      const gl = this.gl, ratio = Math.min(window.devicePixelRatio || 1, 2), { width, height, perMm } = this.frame();
      const size = [Math.round(this.stage.clientWidth * ratio), Math.round(height * ratio)];
      if (!size[0] || !size[1]) return;
      if (this.canvas.width !== size[0] || this.canvas.height !== size[1]) [this.canvas.width, this.canvas.height] = size;
      const axes = this.axes(), layer = this.data.layers.find((l) => l.key === this.layer);
      gl.uniformMatrix3fv(this.at("turn"), true, axes.flat());
      gl.uniform2f(this.at("scale"), (2 * perMm) / width, (2 * perMm) / height);
      this.panes.forEach((pane, k) => {
        const number = this.shown(pane), state = this.model.state(number), map = this.model.map(number, this.layer);
        const box = [Math.round(k * width * ratio), 0, Math.round(width * ratio), size[1]];
        gl.viewport(...box);
        gl.scissor(...box);
        gl.clear(gl.COLOR_BUFFER_BIT | gl.DEPTH_BUFFER_BIT);
        if (pane.shown !== `${number} ${this.layer}`) {
          pane.shown = `${number} ${this.layer}`;
          [state.points, state.normals, map ?? new Float32Array(state.points.length)].forEach((array, i) => {
            gl.bindBuffer(gl.ARRAY_BUFFER, pane.buffers[i]);
            gl.bufferData(gl.ARRAY_BUFFER, array, gl.DYNAMIC_DRAW);
          });
          gl.bindBuffer(gl.ARRAY_BUFFER, pane.spots);
          gl.bufferData(gl.ARRAY_BUFFER, state.spots, gl.DYNAMIC_DRAW);
        }
        const mesh = (mode, flip) => {
          gl.bindVertexArray(pane.array);
          gl.uniform1i(this.at("mode"), mode);
          gl.uniform3f(this.at("flip"), flip, 1, 1);
          gl.uniform1f(this.at("sideways"), flip);
          gl.uniform1f(this.at("lift"), 0);
          gl.drawElements(gl.TRIANGLES, this.model.faces.length, gl.UNSIGNED_INT, 0);
        };
        if (map) {
          gl.bindTexture(gl.TEXTURE_2D, this.ramps[this.layer]);
          gl.uniform2f(this.at("range"), layer.low, layer.high);
          gl.uniform1f(this.at("contour"), layer.contour);
          for (const end of ["below", "above"]) gl.uniform3fv(this.at(end), layer[end].map((c) => c / 255));
        }
        mesh(map ? 0 : this.layer === "colour" ? 1 : 2, 1);
        if (this.ghost) {
          gl.enable(gl.BLEND);
          mesh(3, -1);
          gl.disable(gl.BLEND);
        }
        if (this.marks && state.marks.length) {
          gl.bindVertexArray(pane.dots);
          gl.uniform1i(this.at("mode"), 4);
          gl.uniform3f(this.at("flip"), 1, 1, 1);
          gl.uniform1f(this.at("lift"), 3);
          gl.uniform1f(this.at("size"), 9 * ratio);
          gl.drawArrays(gl.POINTS, 0, state.marks.length);
        }
        this.label(pane, k, axes);
      });
    }

    /* Picture coordinates (CSS pixels in the stage, and mm towards the viewer) of a point in a pane. */
    project(point, k, axes) {
      const { width, height, perMm } = this.frame(), q = axes.map((row) => row.reduce((sum, r, i) => sum + r * (point[i] - CENTRE[i]), 0));
      return [(k + 0.5) * width + q[0] * perMm, height / 2 - q[1] * perMm, q[2]];
    }

    label(pane, k, axes) {
      const { width, height } = this.frame();
      pane.title.style.left = `${k * width + 8}px`;
      pane.title.style.maxWidth = `${width - 16}px`;
      pane.sides.forEach((side, i) => {
        const [x, y, depth] = this.project([i ? 84 : -84, -30, -40], k, axes);
        side.style.left = `${Math.min((k + 1) * width - 24, Math.max(k * width + 2, x - 11))}px`;
        side.style.top = `${Math.min(height - 26, Math.max(26, y + 0.36 * height))}px`;
        side.style.opacity = depth < -45 ? 0.25 : 1;
      });
    }

    /* What lies under the pointer. */
    read(event) {
      const box = this.stage.getBoundingClientRect(), { width, height, perMm } = this.frame(), axes = this.axes();
      const x = event.clientX - box.left, k = Math.min(this.panes.length - 1, Math.max(0, Math.floor(x / width)));
      const u = (x - (k + 0.5) * width) / perMm, v = (height / 2 - (event.clientY - box.top)) / perMm;
      const pane = this.panes[k], number = this.shown(pane), state = this.model.state(number), hit = this.model.hit(state, axes, u, v);
      if (!hit) { this.said.textContent = this.words.hint; return; }
      const corner = hit.corners[hit.shares.indexOf(Math.max(...hit.shares))];
      const parts = [this.data.places.names[this.model.places[corner]] || this.words.elsewhere];
      if (this.marks) {
        state.marks.forEach((name, i) => {
          const [a, b, depth] = this.project(state.spots.subarray(3 * i, 3 * i + 3), k, axes);
          if (Math.hypot(a - x, b - (event.clientY - box.top)) < 8 && depth > hit.depth - 8) parts.unshift(this.data.marks[name] ?? name);
        });
      }
      const layer = this.data.layers.find((l) => l.key === this.layer), map = this.model.map(number, this.layer);
      let value = "";
      if (map) {
        const known = hit.corners.every((c) => map[3 * c + 1]);
        const mm = hit.corners.reduce((sum, c, i) => sum + hit.shares[i] * map[3 * c], 0);
        value = known ? `${layer.title} ${(layer.low < 0 && mm >= 0 ? "+" : "") + mm.toFixed(1).replace("-", "−")} mm` : this.words.unmeasured;
      }
      this.said.textContent = [state.name, parts.join(", "), value].filter(Boolean).join(" · ");
    }
  }

  for (const root of document.querySelectorAll("[data-scene]")) {
    try {
      new Viewer(root);
    } catch (error) {
      root.classList.remove("live");
      root.dataset.failed = error.message; // the pictures stay
    }
  }
})();
