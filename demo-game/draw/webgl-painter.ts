import { paintAtlas } from './atlas.ts';
import { type FieldLight, GLOW_MARGIN } from './field-light.ts';
import type { Painter, Picture } from './painter.ts';
import { NOISE_PX, paintNoise } from './noise.ts';
import { TINTS } from './palette.ts';
import { FIELD_FRAGMENT, FIELD_VERTEX, SPRITE_FRAGMENT, SPRITE_VERTEX } from './shaders.ts';
import { SHAPE_COUNT, SPRITE_SIZE } from './sprites.ts';

const BYTES = Float32Array.BYTES_PER_ELEMENT;
/** Texture units. */
const UNITS = { uTiles: 0, uHeat: 1, uGlow: 2, uAtlas: 3, uNoise: 4 };

/** Paints in two draw calls: the field, and all sprites. */
export class WebglPainter implements Painter {
  readonly #gl: WebGL2RenderingContext;
  readonly #field: Program;
  readonly #sprites: Program;
  readonly #spriteBuffer: WebGLBuffer;
  readonly #spriteArray: WebGLVertexArrayObject;
  readonly #fieldArray: WebGLVertexArrayObject;
  #width = 1;
  #height = 1;

  /** @throws Error when the driver cannot do what we ask */
  constructor(gl: WebGL2RenderingContext) {
    this.#gl = gl;
    this.#field = new Program(gl, FIELD_VERTEX, FIELD_FRAGMENT);
    this.#sprites = new Program(gl, SPRITE_VERTEX, SPRITE_FRAGMENT);
    texture(gl, UNITS.uTiles, gl.NEAREST, gl.CLAMP_TO_EDGE);
    texture(gl, UNITS.uHeat, gl.NEAREST, gl.CLAMP_TO_EDGE);
    texture(gl, UNITS.uGlow, gl.LINEAR, gl.CLAMP_TO_EDGE);
    texture(gl, UNITS.uAtlas, gl.LINEAR, gl.CLAMP_TO_EDGE);
    gl.texImage2D(gl.TEXTURE_2D, 0, gl.RGBA, gl.RGBA, gl.UNSIGNED_BYTE, paintAtlas());
    gl.generateMipmap(gl.TEXTURE_2D);
    gl.texParameteri(gl.TEXTURE_2D, gl.TEXTURE_MIN_FILTER, gl.LINEAR_MIPMAP_LINEAR);
    texture(gl, UNITS.uNoise, gl.LINEAR, gl.REPEAT);
    gl.texImage2D(
      gl.TEXTURE_2D,
      0,
      gl.RGBA,
      NOISE_PX,
      NOISE_PX,
      0,
      gl.RGBA,
      gl.UNSIGNED_BYTE,
      paintNoise(),
    );

    this.#fieldArray = gl.createVertexArray();
    this.#spriteArray = gl.createVertexArray();
    this.#spriteBuffer = gl.createBuffer();
    gl.bindVertexArray(this.#spriteArray);
    gl.bindBuffer(gl.ARRAY_BUFFER, this.#spriteBuffer);
    for (const [location, size, offset] of [
      [0, 4, 0],
      [1, 4, 4],
      [2, 1, 8],
    ] as const) {
      gl.enableVertexAttribArray(location);
      gl.vertexAttribPointer(location, size, gl.FLOAT, false, SPRITE_SIZE * BYTES, offset * BYTES);
      gl.vertexAttribDivisor(location, 1);
    }
    gl.useProgram(this.#sprites.program);
    gl.uniform3fv(
      this.#sprites.uniform('uTints'),
      TINTS.flatMap((rgb) => rgb.map((value) => value / 255)),
    );
    for (const program of [this.#field, this.#sprites]) {
      gl.useProgram(program.program);
      gl.uniform1f(program.uniform('uShapes'), SHAPE_COUNT);
      for (const [name, unit] of Object.entries(UNITS)) gl.uniform1i(program.uniform(name), unit);
    }
    gl.disable(gl.DEPTH_TEST);
    gl.blendFunc(gl.ONE, gl.ONE_MINUS_SRC_ALPHA);
  }

  resize(width: number, height: number): void {
    this.#width = width;
    this.#height = height;
    this.#gl.viewport(0, 0, width, height);
  }

  paint(picture: Picture): void {
    this.#load(picture.field);
    this.#paintField(picture);
    this.#paintSprites(picture);
  }

  #load({ columns, rows, tiles, heat, glow, glowColumns, glowRows }: FieldLight): void {
    const gl = this.#gl;
    const load = (unit: number, width: number, height: number, pixels: Uint8Array): void => {
      gl.activeTexture(gl.TEXTURE0 + unit);
      gl.texImage2D(gl.TEXTURE_2D, 0, gl.RGBA, width, height, 0, gl.RGBA, gl.UNSIGNED_BYTE, pixels);
    };
    load(UNITS.uTiles, columns, rows, tiles);
    load(UNITS.uHeat, columns, rows, heat);
    load(UNITS.uGlow, glowColumns, glowRows, glow);
  }

  #paintField({
    field,
    view,
    wave,
    nowMs,
    lonely,
    selfX,
    selfY,
    hasPatterns,
    isCalm,
  }: Picture): void {
    const gl = this.#gl;
    const at = this.#field;
    gl.useProgram(at.program);
    gl.bindVertexArray(this.#fieldArray);
    gl.uniform2f(at.uniform('uField'), field.columns, field.rows);
    const tilesPerPixel = view.width / view.scale / this.#width;
    gl.uniform4f(at.uniform('uView'), view.left, view.top, tilesPerPixel, this.#height);
    // Fine enough steps for a float, however long the page is open.
    gl.uniform1f(at.uniform('uTime'), isCalm ? 0 : (nowMs % 1_000_000) / 1000);
    gl.uniform1f(at.uniform('uLonely'), lonely);
    gl.uniform2f(at.uniform('uSelf'), selfX, selfY);
    gl.uniform4f(at.uniform('uWave'), wave.x, wave.y, wave.radius, wave.strength);
    gl.uniform1f(at.uniform('uPatterns'), hasPatterns ? 1 : 0);
    gl.uniform1f(at.uniform('uMargin'), GLOW_MARGIN);
    gl.disable(gl.BLEND);
    gl.drawArrays(gl.TRIANGLES, 0, 3);
  }

  #paintSprites({ sprites, view }: Picture): void {
    const gl = this.#gl;
    const at = this.#sprites;
    gl.useProgram(at.program);
    gl.bindVertexArray(this.#spriteArray);
    gl.bindBuffer(gl.ARRAY_BUFFER, this.#spriteBuffer);
    gl.bufferData(gl.ARRAY_BUFFER, sprites.values, gl.STREAM_DRAW, 0, sprites.count * SPRITE_SIZE);
    gl.uniform4f(
      at.uniform('uView'),
      view.left,
      view.top,
      (2 * view.scale) / view.width,
      (2 * view.scale) / view.height,
    );
    gl.enable(gl.BLEND);
    gl.drawArraysInstanced(gl.TRIANGLE_STRIP, 0, 4, sprites.count);
  }
}

class Program {
  readonly program: WebGLProgram;
  readonly #gl: WebGL2RenderingContext;
  readonly #uniforms = new Map<string, WebGLUniformLocation | null>();

  constructor(gl: WebGL2RenderingContext, vertex: string, fragment: string) {
    this.#gl = gl;
    this.program = gl.createProgram();
    for (const [type, source] of [
      [gl.VERTEX_SHADER, vertex],
      [gl.FRAGMENT_SHADER, fragment],
    ] as const) {
      const shader = gl.createShader(type)!;
      gl.shaderSource(shader, source);
      gl.compileShader(shader);
      gl.attachShader(this.program, shader);
    }
    gl.linkProgram(this.program);
    if (!gl.getProgramParameter(this.program, gl.LINK_STATUS)) {
      const logs = gl
        .getAttachedShaders(this.program)!
        .map((shader) => gl.getShaderInfoLog(shader));
      throw new Error(
        `shaders do not link: ${gl.getProgramInfoLog(this.program)} ${logs.join(' ')}`,
      );
    }
  }

  /** Null, which is ignored, for what the program does not use. */
  uniform(name: string): WebGLUniformLocation | null {
    let location = this.#uniforms.get(name);
    if (location === undefined) {
      location = this.#gl.getUniformLocation(this.program, name);
      this.#uniforms.set(name, location);
    }
    return location;
  }
}

/** Leaves it bound to its unit. */
function texture(gl: WebGL2RenderingContext, unit: number, filter: number, wrap: number): void {
  gl.activeTexture(gl.TEXTURE0 + unit);
  gl.bindTexture(gl.TEXTURE_2D, gl.createTexture());
  gl.texParameteri(gl.TEXTURE_2D, gl.TEXTURE_MIN_FILTER, filter);
  gl.texParameteri(gl.TEXTURE_2D, gl.TEXTURE_MAG_FILTER, filter);
  gl.texParameteri(gl.TEXTURE_2D, gl.TEXTURE_WRAP_S, wrap);
  gl.texParameteri(gl.TEXTURE_2D, gl.TEXTURE_WRAP_T, wrap);
}
