// Poses at any time, from what the page carries.

function bytes(text) {
  return Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0)).buffer;
}

// Positions are 16-bit steps of `scale`; the way of the root is in 32-bit floats.
function unpack(packed) {
  return { numbers: new Int16Array(bytes(packed.data)), scale: packed.scale, frames: packed.shape[0] };
}

class Motion {
  constructor(data) {
    this.data = data;
    this.joints = data.skeleton.joints.length;
    this.known = unpack(data.known);
    this.way = new Float32Array(bytes(data.way.data));
    this.models = data.models.map((model, index) => ({ name: model.name, windows: model.windows, ...unpack(model.poses), index }));
    for (const model of this.models) {
      let offset = 0;
      for (const window of model.windows) {
        window.offset = offset;
        offset += window.length;
      }
    }
    this.zero = { name: "zero velocity", windows: data.zero, index: -1 };
    this.moves = this.extent() > 150;
  }

  extent() {
    let [lowX, highX, lowZ, highZ] = [Infinity, -Infinity, Infinity, -Infinity];
    for (let i = 0; i < this.way.length; i += 3) {
      lowX = Math.min(lowX, this.way[i]); highX = Math.max(highX, this.way[i]);
      lowZ = Math.min(lowZ, this.way[i + 2]); highZ = Math.max(highZ, this.way[i + 2]);
    }
    return Math.max(highX - lowX, highZ - lowZ);
  }

  // The root at a frame that may have a fraction.
  place(frame) {
    const last = this.data.frames - 1;
    const a = Math.min(Math.max(Math.floor(frame), 0), last), b = Math.min(a + 1, last), t = Math.min(Math.max(frame - a, 0), 1);
    return [0, 1, 2].map((k) => this.way[3 * a + k] * (1 - t) + this.way[3 * b + k] * t);
  }

  // Where the camera looks: the root over about a second, so that steps do not shake it.
  follow(frame) {
    if (!this.moves) return [this.way[0], this.way[1], this.way[2]];
    const half = this.data.fps / 2, sum = [0, 0, 0];
    for (let i = -10; i <= 10; i++) {
      const at = this.place(frame + (i * half) / 10);
      for (let k = 0; k < 3; k++) sum[k] += at[k] / 21;
    }
    return sum;
  }

  // Frames a and b of a track and the fraction between them, in the world.
  blend(track, a, b, t, frame) {
    const pose = new Float32Array(3 * this.joints), size = 3 * this.joints, root = this.place(frame);
    for (let i = 0; i < size; i++) {
      const near = track.numbers[a * size + i], far = track.numbers[b * size + i];
      pose[i] = (near + (far - near) * t) * track.scale + root[i % 3];
    }
    return pose;
  }

  // The observed or true pose; null where it is not known.
  truth(frame) {
    const a = Math.floor(frame);
    if (a < 0 || a >= this.known.frames) return null;
    return this.blend(this.known, a, Math.min(a + 1, this.known.frames - 1), frame - a, frame);
  }

  // The last forecast of a model that has begun, if it has not ended.
  window(model, frame) {
    let found = null;
    for (const window of model.windows) if (window.now <= frame && frame < window.now + window.length) found = window;
    return found;
  }

  forecast(model, frame) {
    const window = this.window(model, frame);
    if (!window) return null;
    const a = Math.floor(frame - window.now), b = Math.min(a + 1, window.length - 1);
    return this.blend(model, window.offset + a, window.offset + b, frame - window.now - a, frame);
  }

  // Zero velocity: the last observed pose, where the root is now.
  held(frame) {
    const window = this.window(this.zero, frame);
    return window && this.blend(this.known, window.now - 1, window.now - 1, 0, frame);
  }

  error(model, frame) {
    const window = this.window(model, frame);
    return window && window.errors ? window.errors[Math.min(Math.floor(frame - window.now + 1e-6), window.length - 1)] : null;
  }
}
