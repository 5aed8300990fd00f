/** One triangle that covers everything. */
export const FIELD_VERTEX = `#version 300 es
void main() {
  vec2 corner = vec2(gl_VertexID == 1 ? 3.0 : -1.0, gl_VertexID == 2 ? 3.0 : -1.0);
  gl_Position = vec4(corner, 0.0, 1.0);
}`;

/** Ground, tiles that melt together where they are of one colour, and the light on them. */
export const FIELD_FRAGMENT = `#version 300 es
precision highp float;
precision highp int;
uniform vec2 uField;
uniform vec4 uView; // left, top, tiles per pixel, height in pixels
uniform float uTime;
uniform float uLonely;
uniform vec2 uSelf;
uniform vec4 uWave; // x, y, radius, strength
uniform float uPatterns;
uniform float uMargin;
uniform sampler2D uTiles;
uniform sampler2D uHeat;
uniform sampler2D uGlow;
uniform sampler2D uAtlas;
uniform sampler2D uNoise;
uniform float uShapes;
out vec4 outColour;

// A cubic B-spline of four bilinear samples: without it one would see the grid that light is kept in.
vec3 glowAt(vec2 point) {
  vec2 size = uField + 2.0 * uMargin;
  vec2 at = point + uMargin - 0.5;
  vec2 f = fract(at);
  at -= f;
  vec2 f2 = f * f;
  vec2 f3 = f2 * f;
  vec2 w0 = (1.0 - f) * (1.0 - f) * (1.0 - f) / 6.0;
  vec2 w1 = (4.0 - 6.0 * f2 + 3.0 * f3) / 6.0;
  vec2 w3 = f3 / 6.0;
  vec2 w2 = 1.0 - w0 - w1 - w3;
  vec2 s0 = w0 + w1;
  vec2 s1 = w2 + w3;
  vec2 p0 = (at - 0.5 + w1 / s0) / size;
  vec2 p1 = (at + 1.5 + w3 / s1) / size;
  vec3 light =
    (texture(uGlow, p0).rgb * s0.x + texture(uGlow, vec2(p1.x, p0.y)).rgb * s1.x) * s0.y +
    (texture(uGlow, vec2(p0.x, p1.y)).rgb * s0.x + texture(uGlow, p1).rgb * s1.x) * s1.y;
  return light * light;
}

// Below 0 within the shape of a tile, whose joined sides and corners are straight.
float shapeOf(vec2 f, int joins) {
  vec2 c = f - 0.5;
  vec2 a = abs(c);
  bool jx = (joins & (c.x > 0.0 ? 1 : 4)) != 0;
  bool jy = (joins & (c.y > 0.0 ? 2 : 8)) != 0;
  int corner = c.x > 0.0 ? (c.y > 0.0 ? 16 : 128) : (c.y > 0.0 ? 32 : 64);
  bool jc = (joins & corner) != 0;
  const float half_ = 0.455;
  const float round_ = 0.2;
  if (jx && jy) return jc ? -0.5 : 0.16 - length(0.5 - a + 0.03);
  if (jx) return a.y - half_;
  if (jy) return a.x - half_;
  vec2 q = a - (half_ - round_);
  return length(max(q, 0.0)) + min(max(q.x, q.y), 0.0) - round_;
}

void main() {
  vec2 p = uView.xy + vec2(gl_FragCoord.x, uView.w - gl_FragCoord.y) * uView.z;
  float pixel = uView.z;
  // The wave bends what is behind it.
  vec2 away = p - uWave.xy;
  float distance_ = length(away);
  float crest = distance_ - uWave.z;
  // Steep in front, and long behind.
  float wave = (crest > 0.0 ? exp(-crest * crest * 3.0) : exp(crest * 0.42)) * uWave.w;
  vec2 seen = p - away / max(distance_, 0.01) * wave * exp(-crest * crest) * 0.4;

  vec3 glow = glowAt(seen);
  vec4 noise = texture(uNoise, seen / 16.0 + vec2(uTime * 0.0016, -uTime * 0.0022));
  vec4 drift = texture(uNoise, seen / 23.0 - vec2(uTime * 0.0031, uTime * 0.0019));
  float fire = noise.r * 0.5 + drift.g * 0.5;
  vec2 outside = abs(seen - uField * 0.5) - uField * 0.5;
  float border = max(outside.x, outside.y);

  vec3 colour;
  if (border < 0.0) {
    ivec2 cell = ivec2(floor(seen));
    vec2 f = fract(seen);
    vec4 tile = texelFetch(uTiles, cell, 0);
    vec4 heat = texelFetch(uHeat, cell, 0);
    vec2 q = abs(f - 0.5) - 0.3;
    float plate = length(max(q, 0.0)) + min(max(q.x, q.y), 0.0) - 0.14;
    float isPlate = smoothstep(pixel, -pixel, plate);
    vec4 still = texture(uNoise, seen / 11.0);
    float ash = 0.6 + 0.8 * (still.g - 0.5) + 0.35 * (still.a - 0.5);
    // Plates shine at the edge that light falls on.
    float edge = smoothstep(-0.15, -0.02, plate) * isPlate;
    colour = vec3(0.0026, 0.0021, 0.0024) + isPlate * vec3(0.0068, 0.0056, 0.0060) * ash;
    colour += glow * (0.025 + isPlate * (0.11 * ash + 0.22 * edge));
    if (heat.a > 0.0) {
      int joins = int(tile.a * 255.0 + 0.5);
      float shape = shapeOf(f, joins);
      float within = smoothstep(pixel, -pixel, shape);
      vec3 base = tile.rgb * tile.rgb;
      float depth = heat.b;
      float rim = exp(shape * 7.0);
      float breath = 0.5 + 0.5 * sin(uTime * 0.8 + noise.g * 12.0);
      float coals = smoothstep(0.25, 0.85, fire);
      vec3 ember = base * (0.055 + 0.06 * depth + 0.28 * coals * (0.65 + 0.35 * breath));
      // A crust that has cooled, with the glow in its cracks.
      float veins = noise.b * (0.45 + 0.55 * breath);
      ember += (base * 0.75 + base.gbr * 0.06) * veins * 0.55;
      ember += base * rim * 0.42;
      vec3 hot = base * (0.9 + 0.5 * fire) + vec3(1.0, 0.80, 0.55) * heat.r * heat.r * heat.r * 0.9;
      ember = mix(ember, hot, heat.r * heat.r);
      ember += (base * 1.1 + vec3(0.20, 0.16, 0.12)) * heat.g * (0.6 + 0.6 * noise.r);
      ember += (base * 1.6 + 0.10) * wave;
      if (uPatterns > 0.0) {
        float tint = floor(heat.a * 255.0 - 0.5);
        vec2 at = clamp((f - 0.5) * 1.5 + 0.5, 0.02, 0.98);
        float mark = textureLod(uAtlas, vec2((tint + at.x) / uShapes, at.y), 0.0).a;
        ember *= 1.0 - 0.72 * mark * uPatterns;
      }
      colour = mix(colour, ember, within);
      colour += glow * 0.16;
    }
  } else {
    float fog = exp(-border * 0.3);
    colour = glow * 0.36 + vec3(0.0030, 0.0022, 0.0024) * fog * (0.5 + noise.g);
  }
  // Where the field ends.
  float line = exp(-abs(border) / max(pixel * 1.2, 0.035));
  colour += line * (vec3(0.030, 0.020, 0.014) + glow * 0.9);
  colour += wave * (vec3(0.075, 0.050, 0.030) + glow * 0.7);

  if (uLonely > 0.0) {
    float far = distance(p, uSelf);
    float gone = smoothstep(5.0, 15.0, far + 2.0 * noise.g) * uLonely;
    float grey = dot(colour, vec3(0.30, 0.55, 0.15));
    colour = mix(colour, vec3(0.50, 0.62, 0.80) * grey * 0.75, gone * 0.94);
    float pulse = fract(uTime * 0.16);
    float ring = (far - pulse * 26.0) / 1.6;
    colour += exp(-ring * ring) * (1.0 - pulse) * uLonely * vec3(0.025, 0.04, 0.065);
  }
  colour = 1.0 - exp(-colour * 1.7);
  outColour = vec4(sqrt(colour), 1.0);
}`;

export const SPRITE_VERTEX = `#version 300 es
uniform vec4 uView; // left, top, two tiles' share of the width and the height
uniform float uShapes;
uniform vec3 uTints[12];
layout(location = 0) in vec4 place; // x, y, half width, half height
layout(location = 1) in vec4 look; // angle, shape, tint, light
layout(location = 2) in float cover;
out vec2 vAt;
out vec4 vColour;
void main() {
  vec2 corner = vec2(float(gl_VertexID & 1), float(gl_VertexID >> 1));
  vec2 offset = (corner * 2.0 - 1.0) * place.zw;
  float c = cos(look.x);
  float s = sin(look.x);
  vec2 point = place.xy + vec2(offset.x * c - offset.y * s, offset.x * s + offset.y * c);
  vec2 at = (point - uView.xy) * uView.zw;
  gl_Position = vec4(at.x - 1.0, 1.0 - at.y, 0.0, 1.0);
  vAt = vec2((look.y + mix(0.01, 0.99, corner.x)) / uShapes, mix(0.01, 0.99, corner.y));
  vColour = vec4(uTints[int(look.z)] * look.w, cover);
}`;

export const SPRITE_FRAGMENT = `#version 300 es
precision mediump float;
uniform sampler2D uAtlas;
in vec2 vAt;
in vec4 vColour;
out vec4 outColour;
void main() {
  float there = texture(uAtlas, vAt).a;
  // Light with a white core.
  float core = vColour.a > 0.0 ? 0.0 : smoothstep(0.75, 1.0, there) * 0.5;
  vec3 light = mix(vColour.rgb, vec3(max(max(vColour.r, vColour.g), vColour.b)), core);
  outColour = vec4(light * there, vColour.a * there);
}`;
