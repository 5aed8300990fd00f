/** The game's pictures, with eight players: by WebGL, and by the canvas's own pen where there is none. */
import type { Page } from 'puppeteer-core';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import type { DrawingPage } from './pages/game-drawing.ts';
import { serveSite, type Site } from './support/serve-site.ts';
import { useBrowser } from './support/use-browser.ts';

declare const page: DrawingPage;

// Without a graphics card, WebGL takes its time.
vi.setConfig({ testTimeout: 120_000 });

let site: Site;
const browser = useBrowser('chromium', {
  flags: ['--use-gl=angle', '--use-angle=swiftshader', '--enable-unsafe-swiftshader'],
});

beforeAll(async () => {
  site = await serveSite({ entries: { drawing: 'test/browser/pages/game-drawing.ts' } });
});

afterAll(() => site.close());

/** @param hasCard whether the page is told that a graphics card does WebGL's work */
async function open(hasCard: boolean): Promise<Page> {
  const opened = await browser().newPage('about:blank');
  await opened.setViewport({ width: 640, height: 420 });
  await opened.evaluateOnNewDocument(
    (name) => {
      const { prototype } = WebGL2RenderingContext;
      const known = Reflect.get(prototype, 'getParameter') as (key: number) => unknown;
      prototype.getParameter = function (key) {
        return key === 0x9246 ? name : known.call(this, key);
      };
      const calls = { count: 0 };
      Object.assign(globalThis, { drawCalls: calls });
      for (const method of ['drawArrays', 'drawArraysInstanced'] as const) {
        const draw = prototype[method] as (...args: unknown[]) => void;
        Object.assign(prototype, {
          [method](this: WebGL2RenderingContext, ...args: unknown[]) {
            calls.count++;
            draw.apply(this, args);
          },
        });
      }
    },
    hasCard ? 'a graphics card' : 'SwiftShader',
  );
  await opened.goto(site.url);
  await opened.waitForFunction(() => 'page' in globalThis, { polling: 50 });
  return opened;
}

function brightness(pixels: readonly number[][]): number {
  return pixels.flat().reduce((sum, value) => sum + value, 0) / pixels.length / 3;
}

/** How many parts of the picture are clearly of one colour. */
function coloured(pixels: readonly number[][]): number {
  return pixels.filter((rgb) => Math.max(...rgb) - Math.min(...rgb) > 40).length;
}

describe.each([
  ['a graphics card', true],
  ['none', false],
])('with %s', (_, hasCard) => {
  it('eight sparks light a dark field', async () => {
    const opened = await open(hasCard);
    const pixels = await opened.evaluate(() => page.paint(12, 50));
    expect(coloured(pixels)).toBeGreaterThan(40);
    // Most of it is still dark.
    expect(brightness(pixels)).toBeLessThan(70);
    expect(brightness(pixels)).toBeGreaterThan(8);
    const isWebgl = await opened.evaluate(() => page.canvas.getContext('webgl2') !== null);
    expect(isWebgl).toBe(hasCard);
  });

  it('a loop that closes flashes', async () => {
    const opened = await open(hasCard);
    const before = await opened.evaluate(() => page.paint(12, 50));
    await opened.evaluate(() => page.maker.loop(0, 16));
    const after = await opened.evaluate(() => page.paint(3, 50));
    expect(brightness(after)).toBeGreaterThan(brightness(before) + 3);
  });

  it('the world loses its colours where one has cut oneself off', async () => {
    const opened = await open(hasCard);
    await opened.evaluate(() => page.paint(12, 50));
    await opened.evaluate(() => page.maker.loop(0, 20));
    const before = coloured(await opened.evaluate(() => page.paint(12, 100)));
    await opened.evaluate(() =>
      page.show({ kind: 'connection', connection: { state: 'unplugged' } }),
    );
    const after = coloured(await opened.evaluate(() => page.paint(12, 100)));
    expect(after).toBeLessThan(before * 0.75);
  });
});

it('a frame is two draw calls, however much goes on', async () => {
  const opened = await open(true);
  const calls = await opened.evaluate(() => {
    page.paint(2);
    page.maker.loop(0, 14);
    page.maker.merge();
    const { drawCalls } = globalThis as unknown as { drawCalls: { count: number } };
    const before = drawCalls.count;
    page.paint(10);
    return drawCalls.count - before;
  });
  expect(calls).toBe(20);
});
