/* How a face is painted: raw WebGL 2, no library. The projection is parallel, so that a millimetre is as long at the ear
   as at the nose. */
const WIDE = 190, HIGH = 250; // mm, as in the page's pictures

const VERTEX = `#version 300 es
  in vec3 place; in vec3 normal; in vec3 value; in vec3 tint;
  uniform mat3 turn; uniform vec3 centre, flip; uniform vec2 scale; uniform float lift, size;
  out vec3 facing, reading, colour;
  void main() {
    vec3 q = turn * (place * flip - centre);
    gl_Position = vec4(q.xy * scale, -(q.z + lift) / 500.0, 1.0);
    gl_PointSize = size * (value.x > 1.5 ? 1.8 : 1.0);
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
    if (mode == 4) { // found: red; moved by hand: blue; chosen: a ring around it
      float away = length(gl_PointCoord - 0.5), kind = reading.x, moved = mod(kind, 2.0), ring = step(1.5, kind);
      if (away > 0.5 || (ring > 0.5 && away > 0.26 && away < 0.38)) discard;
      vec3 body = moved > 0.5 ? vec3(0.08, 0.30, 0.75) : vec3(0.69, 0.18, 0.05);
      bool rim = ring > 0.5 ? away > 0.2 && away <= 0.26 : away > 0.36;
      seen = vec4(rim ? vec3(1.0) : body, 1.0);
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
    float tone = 1.0 - (mode == 0 ? 0.5 : mode == 1 ? 0.2 : 0.65) * (1.0 - lit); // a scanner's colours hold its own light
    if (mode == 3) { seen = vec4(vec3(0.25, 0.45, 0.75) * (0.5 + 0.5 * lit), 0.45); return; }
    seen = vec4(base * (gl_FrontFacing == (sideways > 0.0) ? tone : 0.25), 1.0);
  }`;

class Drawing {
  constructor(canvas, model) {
    // Drawn by software, multisampling takes two thirds of the time: edges are smoothed when the face stands still.
    const gl = canvas.getContext("webgl2", { antialias: false, alpha: false });
    if (!gl) throw new Error("no WebGL 2");
    Object.assign(this, { gl, canvas, model, data: model.data });
    const program = gl.createProgram();
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
    this.index = gl.createBuffer();
    gl.bindBuffer(gl.ELEMENT_ARRAY_BUFFER, this.index);
    gl.bufferData(gl.ELEMENT_ARRAY_BUFFER, model.faces, gl.STATIC_DRAW);
    gl.uniform3fv(this.at("centre"), CENTRE);
    gl.uniform3fv(this.at("unmeasured"), this.data.unmeasured.map((c) => c / 255));
    this.ramps = Object.fromEntries(this.data.layers.filter((l) => l.stops).map((l) => [l.key, this.ramp(l)]));
    this.panes = this.data.panes.map(() => this.pane());
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

  /* The buffers of one of the linked views. */
  pane() {
    const gl = this.gl, made = { array: gl.createVertexArray(), buffers: [], shown: "" };
    gl.bindVertexArray(made.array);
    gl.bindBuffer(gl.ELEMENT_ARRAY_BUFFER, this.index);
    for (let k = 0; k < 4; k++) {
      made.buffers.push(gl.createBuffer());
      gl.bindBuffer(gl.ARRAY_BUFFER, made.buffers[k]);
      gl.vertexAttribPointer(k, 3, gl.FLOAT, false, 0, 0);
      if (k < 3 || this.data.colour) gl.enableVertexAttribArray(k);
    }
    if (this.data.colour) {
      gl.bufferData(gl.ARRAY_BUFFER, Float32Array.from(unpacked(this.data.colour, 1), (n) => n / (BASE - 1)), gl.STATIC_DRAW);
    }
    made.dots = gl.createVertexArray();
    gl.bindVertexArray(made.dots);
    [made.spots, made.kinds] = [0, 2].map((k) => {
      const buffer = gl.createBuffer();
      gl.bindBuffer(gl.ARRAY_BUFFER, buffer);
      gl.vertexAttribPointer(k, 3, gl.FLOAT, false, 0, 0);
      gl.enableVertexAttribArray(k);
      return buffer;
    });
    gl.bindVertexArray(null);
    return made;
  }

  /* Until what was drawn is there. */
  wait() { this.gl.readPixels(0, 0, 1, 1, this.gl.RGBA, this.gl.UNSIGNED_BYTE, new Uint8Array(4)); }

  fill(buffer, array) {
    this.gl.bindBuffer(this.gl.ARRAY_BUFFER, buffer);
    this.gl.bufferData(this.gl.ARRAY_BUFFER, array, this.gl.DYNAMIC_DRAW);
  }

  /* All panes, for a camera with these `axes` (rows: the picture's right, its up, the way to the viewer). `shown` the
     state in each pane, `kinds` of each the kind of every landmark, null where none are drawn; `sharp`: with at least
     four pixels to one of the page's, which the browser averages. */
  draw({ axes, width, height, below, perMm, shown, key, ghost, kinds, sharp }) {
    const gl = this.gl, n = this.panes.length, ratio = sharp ? 2 : Math.min(window.devicePixelRatio || 1, 2);
    const size = [Math.round(width * (below ? 1 : n) * ratio), Math.round(height * (below ? n : 1) * ratio)];
    if (!size[0] || !size[1]) return;
    if (this.canvas.width !== size[0] || this.canvas.height !== size[1]) [this.canvas.width, this.canvas.height] = size;
    const layer = this.data.layers.find((l) => l.key === key);
    gl.uniformMatrix3fv(this.at("turn"), true, axes.flat());
    gl.uniform2f(this.at("scale"), (2 * perMm) / width, (2 * perMm) / height);
    this.panes.forEach((pane, k) => {
      const number = shown[k], state = this.model.state(number), map = this.model.map(number, key);
      const box = [below ? 0 : Math.round(k * width * ratio), below ? Math.round((n - 1 - k) * height * ratio) : 0];
      box.push(Math.round(width * ratio), Math.round(height * ratio));
      gl.viewport(...box);
      gl.scissor(...box);
      gl.clear(gl.COLOR_BUFFER_BIT | gl.DEPTH_BUFFER_BIT);
      if (pane.shown !== `${number} ${key}`) {
        pane.shown = `${number} ${key}`;
        [state.points, state.normals, map ?? new Float32Array(state.points.length)].forEach((array, i) => this.fill(pane.buffers[i], array));
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
        gl.bindTexture(gl.TEXTURE_2D, this.ramps[key]);
        gl.uniform2f(this.at("range"), layer.low, layer.high);
        gl.uniform1f(this.at("contour"), layer.contour);
        for (const end of ["below", "above"]) gl.uniform3fv(this.at(end), layer[end].map((c) => c / 255));
      }
      mesh(map ? 0 : key === "colour" ? 1 : 2, 1);
      if (ghost) {
        gl.enable(gl.BLEND);
        mesh(3, -1);
        gl.disable(gl.BLEND);
      }
      if (kinds?.[k]?.length) {
        this.fill(pane.spots, state.spots);
        this.fill(pane.kinds, new Float32Array(kinds[k].flatMap((kind) => [kind, 0, 0])));
        gl.bindVertexArray(pane.dots);
        gl.uniform1i(this.at("mode"), 4);
        gl.uniform3f(this.at("flip"), 1, 1, 1);
        gl.uniform1f(this.at("lift"), 3);
        gl.uniform1f(this.at("size"), 9 * ratio);
        gl.drawArrays(gl.POINTS, 0, kinds[k].length);
      }
    });
  }
}
