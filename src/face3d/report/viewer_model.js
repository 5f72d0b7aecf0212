/* The faces of a scene: numbers unpacked from their text, and what is computed from them. The viewer's files make one
   program, in the order that viewer.py says. */

const CENTRE = [0, -30, -25]; // mm, what the middle of a picture shows

// Numbers are written in base 92 with the printable ASCII characters but ", < and \.
const DIGIT = new Uint8Array(128);
let BASE = 0;
for (let code = 32; code < 127; code++) if (code !== 34 && code !== 60 && code !== 92) DIGIT[code] = BASE++;

function unpacked(text, digits) {
  const out = new Uint32Array(text.length / digits);
  for (let i = 0, at = 0; i < out.length; i++) {
    let n = 0;
    for (let k = 0; k < digits; k++) n = n * BASE + DIGIT[text.charCodeAt(at++)];
    out[i] = n;
  }
  return out;
}

class Model {
  constructor(data) {
    this.data = data;
    this.faces = unpacked(data.faces, data.digits);
    this.places = unpacked(data.places.of, 1);
    this.ready = data.states.map(() => null);
  }

  /* A state of the face, unpacked when it is first wanted. */

  state(number) {
    if (this.ready[number]) return this.ready[number];
    const said = this.data.states[number], packed = unpacked(said.points, 2), { low, step } = this.data;
    const points = new Float32Array(packed.length);
    for (let i = 0; i < packed.length; i++) points[i] = low[i % 3] + packed[i] * step[i % 3];
    const marks = Object.keys(said.marks);
    return (this.ready[number] = {
      name: said.name, points, normals: this.normals(points), maps: {}, marks,
      spots: new Float32Array(marks.flatMap((name) => said.marks[name])),
    });
  }

  normals(p) {
    const out = new Float32Array(p.length), f = this.faces;
    for (let i = 0; i < f.length; i += 3) {
      const a = 3 * f[i], b = 3 * f[i + 1], c = 3 * f[i + 2];
      const ux = p[b] - p[a], uy = p[b + 1] - p[a + 1], uz = p[b + 2] - p[a + 2];
      const vx = p[c] - p[a], vy = p[c + 1] - p[a + 1], vz = p[c + 2] - p[a + 2];
      const n = [uy * vz - uz * vy, uz * vx - ux * vz, ux * vy - uy * vx];
      for (const corner of [a, b, c]) for (let k = 0; k < 3; k++) out[corner + k] += n[k];
    }
    return out;
  }

  /* Values of a layer as (value, known, value freed of noise for the contour lines); null where there is none. */
  map(number, key) {
    const state = this.state(number), said = this.data.states[number].values[key];
    if (!said || state.maps[key]) return said ? state.maps[key] : null;
    if ("as" in said) return (state.maps[key] = this.map(said.as, key));
    const packed = unpacked(said.of, 2), out = new Float32Array(3 * packed.length), step = (said.high - said.low) / (BASE * BASE - 2);
    let smooth = new Float32Array(packed.length);
    packed.forEach((n, i) => {
      if (n) out.set([said.low + (n - 1) * step, 1], 3 * i);
      smooth[i] = out[3 * i];
    });
    for (let round = 0; round < 3; round++) {
      const sum = smooth.slice(), count = new Float32Array(sum.length).fill(1);
      for (let i = 0; i < this.faces.length; i++) {
        const a = this.faces[i], b = this.faces[i % 3 === 2 ? i - 2 : i + 1];
        if (packed[a] && packed[b]) { sum[a] += smooth[b]; sum[b] += smooth[a]; count[a]++; count[b]++; }
      }
      smooth = sum.map((s, i) => s / count[i]);
    }
    smooth.forEach((s, i) => { out[3 * i + 2] = s; });
    return (state.maps[key] = out);
  }

  /* The triangle nearest to the viewer on a ray: parallel rays make it a search in the plane. */
  hit(state, axes, u, v) {
    const flat = this.flat(state, axes), f = this.faces;
    let best = null, front = -Infinity;
    for (let i = 0; i < f.length; i += 3) {
      const a = 3 * f[i], b = 3 * f[i + 1], c = 3 * f[i + 2];
      const bx = flat[b] - flat[a], by = flat[b + 1] - flat[a + 1], cx = flat[c] - flat[a], cy = flat[c + 1] - flat[a + 1];
      const px = u - flat[a], py = v - flat[a + 1], area = bx * cy - by * cx;
      if (!area) continue;
      const s = (px * cy - py * cx) / area, t = (bx * py - by * px) / area;
      if (s < 0 || t < 0 || s + t > 1) continue;
      const depth = (1 - s - t) * flat[a + 2] + s * flat[b + 2] + t * flat[c + 2];
      if (depth > front) { front = depth; best = { corners: [f[i], f[i + 1], f[i + 2]], shares: [1 - s - t, s, t], depth }; }
    }
    return best;
  }

  /* The point (mm) of a hit. */
  point(state, hit) {
    return [0, 1, 2].map((k) => hit.corners.reduce((sum, c, i) => sum + hit.shares[i] * state.points[3 * c + k], 0));
  }

  flat(state, axes) {
    const key = axes.flat().join();
    if (state.flatKey === key) return state.flat;
    const p = state.points, out = new Float32Array(p.length);
    for (let i = 0; i < p.length; i += 3) {
      const x = p[i] - CENTRE[0], y = p[i + 1] - CENTRE[1], z = p[i + 2] - CENTRE[2];
      for (let k = 0; k < 3; k++) out[i + k] = axes[k][0] * x + axes[k][1] * y + axes[k][2] * z;
    }
    state.flatKey = key;
    return (state.flat = out);
  }
}
