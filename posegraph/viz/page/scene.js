// Bodies on a floor before a camera, drawn on a canvas.

const SIDES = ["left", "right", "centre"];
const STEP = 500; // of the grid, in mm
const FIELD = Math.tan((15 * Math.PI) / 180); // half the height of the picture, at distance one

class Camera {
  constructor(data) {
    this.start = { yaw: ((data.heading + 40) * Math.PI) / 180, pitch: 0.2, zoom: 1 };
    this.height = Math.max(data.top - data.floor, 1);
    this.reach = Math.max(data.reach, 1);
    this.middle = (data.top + data.floor) / 2;
    this.reset();
  }

  reset() { Object.assign(this, this.start); }

  turn(dx, dy) {
    this.yaw -= dx * 0.008;
    this.pitch = Math.min(Math.max(this.pitch + dy * 0.006, -0.1), 1.5);
  }

  magnify(factor) { this.zoom = Math.min(Math.max(this.zoom * factor, 0.35), 6); }

  // Look at a place through a part of the canvas.
  aim(place, box) {
    const room = Math.min(box.height - 40, 4000);
    const tall = (this.height * 1.12 * box.height) / room, wide = (this.reach * 1.9 * box.height) / box.width;
    this.distance = (Math.max(tall, wide) / (2 * FIELD) + this.reach * 0.3) / this.zoom;
    this.focal = box.height / (2 * FIELD);
    this.target = [place[0], this.middle, place[2]];
    this.centre = [box.x + box.width / 2, box.y + box.height / 2 + 14];
    [this.cosY, this.sinY, this.cosP, this.sinP] = [Math.cos(this.yaw), Math.sin(this.yaw), Math.cos(this.pitch), Math.sin(this.pitch)];
  }

  // Right and down in pixels, and pixels a millimetre; nothing behind the camera is seen.
  project(x, y, z) {
    const dx = x - this.target[0], dy = y - this.target[1], dz = z - this.target[2];
    const right = this.cosY * dx - this.sinY * dz, near = this.sinY * dx + this.cosY * dz;
    const up = this.cosP * dy - this.sinP * near, towards = this.sinP * dy + this.cosP * near;
    const scale = this.focal / Math.max(this.distance - towards, this.distance * 0.05);
    return [this.centre[0] + right * scale, this.centre[1] - up * scale, scale, towards];
  }
}

class Scene {
  constructor(canvas, motion) {
    this.canvas = canvas;
    this.context = canvas.getContext("2d");
    this.motion = motion;
    this.camera = new Camera(motion.data);
    this.readColours();
  }

  readColours() {
    const style = getComputedStyle(document.documentElement);
    this.colours = {};
    for (const name of ["left", "right", "centre", "observed", "truth", "shadow", "grid", "floor", "stage", "accent", "ink", "line", "zero"]) {
      this.colours[name] = style.getPropertyValue("--" + name).trim();
    }
  }

  resize() {
    const ratio = Math.min(window.devicePixelRatio || 1, 2.5);
    this.width = this.canvas.clientWidth;
    this.height = this.canvas.clientHeight;
    this.canvas.width = Math.round(this.width * ratio);
    this.canvas.height = Math.round(this.height * ratio);
    this.context.setTransform(ratio, 0, 0, ratio, 0, 0);
  }

  // The grid of boxes in which bodies are seen largest.
  boxes(count) {
    let best = null;
    for (let columns = 1; columns <= count; columns++) {
      const rows = Math.ceil(count / columns), width = this.width / columns, height = this.height / rows;
      const size = Math.min(width * 1.7, height);
      if (!best || size > best.size + 1) best = { columns, width, height, size };
    }
    return Array.from({ length: count }, (_, i) => ({
      x: (i % best.columns) * best.width, y: Math.floor(i / best.columns) * best.height, width: best.width, height: best.height,
    }));
  }

  // Draw panels [{bodies: [{pose, look}]}] at a frame; returns where joints are, for the pointer.
  draw(panels, frame) {
    const { context: c, colours } = this, seen = [];
    c.clearRect(0, 0, this.width, this.height);
    const boxes = this.boxes(panels.length);
    panels.forEach((panel, i) => {
      const box = boxes[i];
      c.save();
      c.beginPath();
      c.rect(box.x, box.y, box.width, box.height);
      c.clip();
      this.camera.aim(this.motion.follow(frame), box);
      this.drawFloor(frame);
      for (const body of panel.bodies) if (body.look !== "ghost") this.drawShadow(body.pose);
      for (const body of panel.bodies) {
        const points = this.drawBody(body.pose, body.look);
        seen.push({ points, panel, body, box });
      }
      c.restore();
      c.fillStyle = colours.line;
      if (box.x > 0) c.fillRect(box.x - 0.5, box.y + 12, 1, box.height - 24);
      if (box.y > 0) c.fillRect(box.x + 12, box.y - 0.5, box.width - 24, 1);
    });
    this.placed = boxes;
    this.seen = seen;
  }

  drawFloor(frame) {
    const { context: c, camera, colours, motion } = this, floor = motion.data.floor;
    const radius = Math.max(camera.reach, camera.height) * 1.9, [cx, , cz] = camera.target;
    c.beginPath();
    for (let i = 0; i < 72; i++) {
      const angle = (i * Math.PI) / 36, [x, y] = camera.project(cx + radius * Math.cos(angle), floor, cz + radius * Math.sin(angle));
      i ? c.lineTo(x, y) : c.moveTo(x, y);
    }
    c.closePath();
    const [mx, my, scale] = camera.project(cx, floor, cz);
    const shade = c.createRadialGradient(mx, my, 0, mx, my, radius * scale);
    shade.addColorStop(0, colours.floor);
    shade.addColorStop(1, colours.stage);
    c.fillStyle = shade;
    c.fill();
    c.strokeStyle = colours.grid;
    c.lineWidth = 1;
    const step = STEP * (camera.height > 6 * STEP ? Math.ceil(camera.height / (4 * STEP)) : 1);
    const fade = (x, z) => Math.max(0, 1 - ((x - cx) ** 2 + (z - cz) ** 2) / radius ** 2);
    const low = (v) => Math.ceil((v - radius) / step) * step;
    for (let x = low(cx); x <= cx + radius; x += step) {
      for (let z = low(cz); z <= cz + radius; z += step) {
        for (const [x2, z2] of [[x + step, z], [x, z + step]]) {
          const alpha = Math.min(fade(x, z), fade(x2, z2));
          if (alpha <= 0) continue;
          const a = camera.project(x, floor, z), b = camera.project(x2, floor, z2);
          c.globalAlpha = alpha * 0.8;
          c.beginPath();
          c.moveTo(a[0], a[1]);
          c.lineTo(b[0], b[1]);
          c.stroke();
        }
      }
    }
    c.globalAlpha = 1;
    if (motion.moves) this.drawWay(frame, floor);
  }

  // The way that the root has gone, on the floor.
  drawWay(frame, floor) {
    const { context: c, camera, motion } = this;
    const from = Math.max(0, Math.floor(frame - 3 * motion.data.fps));
    c.strokeStyle = this.colours.accent;
    c.lineWidth = 2;
    c.globalAlpha = 0.35;
    c.beginPath();
    for (let i = from; i <= frame; i++) {
      const [x, , z] = motion.place(i), [px, py] = camera.project(x, floor, z);
      i > from ? c.lineTo(px, py) : c.moveTo(px, py);
    }
    c.stroke();
    c.globalAlpha = 1;
  }

  drawShadow(pose) {
    const { context: c, camera, colours, motion } = this, { bones, head, headRadius } = motion.data.skeleton, floor = motion.data.floor;
    const flat = (j) => camera.project(pose[3 * j], floor, pose[3 * j + 2]);
    c.strokeStyle = colours.shadow;
    c.globalAlpha = 0.13;
    c.lineCap = "round";
    c.lineJoin = "round";
    c.lineWidth = Math.max(2, camera.height * 0.024 * camera.project(...camera.target)[2]);
    c.beginPath();
    for (const [a, b] of bones) {
      const p = flat(a), q = flat(b);
      c.moveTo(p[0], p[1]);
      c.lineTo(q[0], q[1]);
    }
    if (head.length) {
      const [x, , z] = this.head(pose), p = camera.project(x, floor, z), r = headRadius * p[2] * 0.7;
      c.moveTo(p[0] + r, p[1]);
      c.ellipse(p[0], p[1], r, Math.max(r * Math.abs(Math.sin(camera.pitch)), 1), 0, 0, 7);
    }
    c.stroke();
    c.globalAlpha = 1;
  }

  head(pose) {
    const joints = this.motion.data.skeleton.head;
    return [0, 1, 2].map((k) => joints.reduce((sum, j) => sum + pose[3 * j + k], 0) / joints.length);
  }

  colour(look, joint) {
    if (look === "forecast") return this.colours[SIDES[this.motion.data.skeleton.sides[joint]]];
    return this.colours[look === "ghost" ? "truth" : look];
  }

  // What is near covers what is far; an edge in the colour of the stage keeps limbs apart.
  drawBody(pose, look) {
    const { context: c, camera, colours, motion } = this, skeleton = motion.data.skeleton, ghost = look === "ghost";
    const points = [];
    for (let j = 0; j < motion.joints; j++) points.push(camera.project(pose[3 * j], pose[3 * j + 1], pose[3 * j + 2]));
    const thick = camera.height * (ghost ? 0.036 : 0.026);
    const parts = skeleton.bones.map(([a, b]) => ({ a, b, near: (points[a][3] + points[b][3]) / 2 }));
    if (skeleton.head.length) {
      const middle = camera.project(...this.head(pose));
      parts.push({ middle, near: middle[3], joint: skeleton.head[0] });
    }
    parts.sort((one, other) => one.near - other.near);
    const layer = ghost ? this.ghostLayer() : c;
    for (const part of parts) {
      for (const edge of ghost ? [0] : [2.5, 0]) {
        const colour = edge ? colours.stage : this.colour(look, part.middle ? part.joint : part.b);
        layer.beginPath();
        if (part.middle) {
          layer.fillStyle = colour;
          layer.arc(part.middle[0], part.middle[1], skeleton.headRadius * part.middle[2] * (ghost ? 1.06 : 1) + edge / 2, 0, 7);
          layer.fill();
        } else {
          const p = points[part.a], q = points[part.b];
          layer.strokeStyle = colour;
          layer.lineCap = edge ? "butt" : "round"; // the edge runs beside a limb, not across its joints
          layer.lineWidth = Math.max(1.5, (thick * (p[2] + q[2])) / 2) + edge;
          layer.moveTo(p[0], p[1]);
          layer.lineTo(q[0], q[1]);
          layer.stroke();
        }
      }
    }
    if (ghost) {
      c.save();
      c.setTransform(1, 0, 0, 1, 0, 0);
      c.globalAlpha = 0.5;
      c.drawImage(this.layer, 0, 0);
      c.restore();
    }
    return points;
  }

  // A canvas of its own, so that the limbs of a translucent body do not show through one another.
  ghostLayer() {
    this.layer = this.layer || document.createElement("canvas");
    this.layer.width = this.canvas.width;
    this.layer.height = this.canvas.height;
    const layer = this.layer.getContext("2d");
    layer.setTransform(this.context.getTransform());
    return layer;
  }

  // The joint under the pointer.
  pick(x, y) {
    let best = null;
    for (const { points, panel, body, box } of this.seen || []) {
      if (x < box.x || x > box.x + box.width || y < box.y || y > box.y + box.height) continue;
      points.forEach((p, joint) => {
        const distance = Math.hypot(p[0] - x, p[1] - y) + (body.look === "ghost" ? 4 : 0);
        if (distance < 16 && (!best || distance < best.distance - 0.5)) best = { distance, joint, x: p[0], y: p[1], panel, body };
      });
    }
    return best;
  }

  mark(x, y) {
    const c = this.context;
    c.strokeStyle = this.colours.ink;
    c.lineWidth = 2;
    c.beginPath();
    c.arc(x, y, 7, 0, 7);
    c.stroke();
  }
}
