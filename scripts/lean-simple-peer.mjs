import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';

const STAND_INS = /^(buffer|err-code|get-browser-rtc|randombytes|readable-stream)$/;
const require = createRequire(import.meta.url);
const main = require.resolve('simple-peer');

/** Methods for media, for writing to it as a stream, and for debugging. */
const UNUSED_METHODS = [
  'get bufferSize',
  'address',
  'addTransceiver',
  'addStream',
  'addTrack',
  'replaceTrack',
  'removeTrack',
  'removeStream',
  '_requestMissingTransceivers',
  '_onTrack',
  '_write',
  '_onInterval',
  '_onChannelBufferedAmountLow',
  '_onFinish',
  '_debug',
];

/** Of the other methods, what serves these or nobody: a line, with its block where it opens one. */
const UNUSED_STATEMENTS = [
  'Peer.WEBRTC_SUPPORT = !!getBrowserRTC()',
  "if (typeof data === 'string') {",
  'const remoteCandidates = {}',
  "if (item.type === 'remotecandidate' || item.type === 'remote-candidate') {",
  'clearInterval(this._interval)',
  'if (this.streams) {',
  'this._pc.ontrack = event => {',
  'if (data.transceiverRequest && this.initiator) {',
  'if (!this.initiator) this._requestMissingTransceivers()',
  'this._sendersAwaitingStable.forEach(sender => {',
  'if (this._chunk) {',
  "if (typeof this._channel.bufferedAmountLowThreshold !== 'number') {",
  'this._channel.onbufferedamountlow = () => {',
  'this._onFinishBound = () => {',
  "this.once('finish', this._onFinishBound)",
  "if (this._onFinishBound) this.removeListener('finish', this._onFinishBound)",
];

/** Fields that nobody reads then. */
const UNUSED_FIELDS =
  /^ *this\.(streams|_(chunk|cb|interval|onFinishBound|sender\w+|remote\w+)|(local|remote)[A-Z]\w+) = .*\n/gm;

/**
 * For esbuild: `simple-peer` is the package as it is, but for what data channels have no use for, on a
 * Duplex of its own size. For browsers it brings the streams of Node, of which nothing is used.
 */
export const leanSimplePeer = {
  name: 'lean-simple-peer',
  setup(bundling) {
    bundling.onResolve({ filter: /^simple-peer$/ }, () => ({ path: main, sideEffects: false }));
    bundling.onResolve({ filter: STAND_INS }, ({ path, resolveDir }) =>
      resolveDir === dirname(main)
        ? { path: fileURLToPath(new URL(`lean-peer/${path}.cjs`, import.meta.url)) }
        : undefined,
    );
    bundling.onLoad({ filter: /simple-peer[\\/]index\.js$/ }, async ({ path }) =>
      path === main ? { contents: withoutUnused(await readFile(path, 'utf8')) } : undefined,
    );
  },
};

/** @throws Error when the package is not the one that these words were written for */
function withoutUnused(source) {
  let text = source;
  const cut = (what, pattern) => {
    const rest = text.replace(pattern, '');
    if (rest === text) throw new Error(`simple-peer has no ${what}: see ${import.meta.url}`);
    text = rest;
  };
  cut('imports', /^const (debug|queueMicrotask) = require.*\n/gm);
  cut('debugging', /^( *)this\._debug\((.*|\n[^]*?\n\1)\)\n/gm);
  for (const name of UNUSED_METHODS)
    cut(name, new RegExp(`^( *)${name} \\(.*\n[^]*?\n\\1}\n`, 'm'));
  for (const statement of UNUSED_STATEMENTS) {
    const line = statement.replace(/[.()&?|{]/g, '\\$&');
    const block = statement.endsWith('{') ? '[^]*?\n\\1}.*\n' : '';
    cut(statement, new RegExp(`^( *)${line}\n${block}`, 'm'));
  }
  // What browsers of long ago said of their connections, and the addresses, which nobody asks for.
  cut(
    'old statistics',
    /^ {4}} else if \(this\._pc\.getStats\.length > 0\) {\n[^]*?(?=^ {4}} else {\n)/m,
  );
  cut('addresses', /^ {10}let local = [^]*?(?=^ {8}}\n)/m);
  cut('unused fields', UNUSED_FIELDS);
  for (const name of UNUSED_METHODS) {
    if (text.includes(`.${name}(`)) throw new Error(`simple-peer calls ${name} still`);
  }
  return text;
}
