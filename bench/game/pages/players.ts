/** Players whose game is played but not painted, in a page of their own. */
import { Game } from '../../../demo-game/game.ts';
import type { Scene } from '../../../demo-game/scene.ts';
import type { Passed, PlayersPage, TakenTile } from '../players-page.ts';

/** How often a player thinks of another way to go, and how many ways there are. */
const WHIM_MS = 700;
const WAYS = 16;

const games: Game[] = [];
let passed: Passed = { tiles: [], positionsMs: [] };
let channel: RTCDataChannel;
let connection: RTCPeerConnection;

const page: PlayersPage = {
  async sit({ address, signaling, count, isKept }) {
    for (let seat = 0; seat < count; seat++) {
      const game = await Game.open({
        signaling,
        address: new URL(address),
        iceServers: [],
        ...(isKept ? {} : { storage: 'memory' }),
      });
      games.push(game);
      setInterval(() => steerSomewhere(game), WHIM_MS);
    }
    const [game] = games;
    watch(game!);
    return game!.inviteLink;
  },
  others: () => Math.min(...games.map(({ room }) => room?.peers.filter(isLive).length ?? 0)),
  phase: () => games[0]!.scene(performance.now()).round,
  begin() {
    passed = { tiles: [], positionsMs: [] };
  },
  end: () => passed,

  async offer() {
    connection = new RTCPeerConnection();
    channel = connection.createDataChannel('ping', { ordered: false, maxRetransmits: 0 });
    channel.binaryType = 'arraybuffer';
    await connection.setLocalDescription();
    return gathered();
  },
  async answer(offer) {
    connection = new RTCPeerConnection();
    connection.addEventListener('datachannel', ({ channel: opened }) => {
      opened.binaryType = 'arraybuffer';
      opened.addEventListener('message', ({ data }: MessageEvent<ArrayBuffer>) =>
        opened.send(data),
      );
    });
    await connection.setRemoteDescription({ type: 'offer', sdp: offer });
    await connection.setLocalDescription();
    return gathered();
  },
  async ping(answer, { bytes, count, everyMs }) {
    const isOpen = new Promise((resolve) => channel.addEventListener('open', resolve));
    await connection.setRemoteDescription({ type: 'answer', sdp: answer });
    await isOpen;
    const waysMs: number[] = [];
    channel.addEventListener('message', ({ data }: MessageEvent<ArrayBuffer>) => {
      const [sentAt] = new Float64Array(data, 0, 1);
      waysMs.push((performance.now() - sentAt!) / 2);
    });
    const message = new Float64Array(Math.ceil(bytes / 8));
    for (let sent = 0; sent < count; sent++) {
      message[0] = performance.now();
      channel.send(message);
      await new Promise((resolve) => setTimeout(resolve, everyMs));
    }
    return waysMs;
  },
};
globalThis.players = page;

function steerSomewhere(game: Game): void {
  game.steer((Math.floor(Math.random() * WAYS) / WAYS - 0.5) * 2 * Math.PI);
}

function isLive({ state }: { state: string }): boolean {
  return state === 'live';
}

/** Notes each tile in the frame in which it is first seen as somebody's, and each position as it comes. */
function watch(game: Game): void {
  const owners: (string | undefined)[] = [];
  const frame = (nowMs: number): void => {
    const scene = game.scene(nowMs);
    noteTiles(scene, owners, game.me);
    requestAnimationFrame(frame);
  };
  requestAnimationFrame(frame);
  const heard = new Map<string, unknown>();
  game.room!.presence.subscribe(() => {
    for (const [id, value] of game.room!.presence.all()) {
      if (heard.get(id) === value) continue;
      heard.set(id, value);
      const { t: sentAt } = value as { t: number };
      passed.positionsMs.push(Date.now() - sentAt);
    }
  });
}

function noteTiles(
  { field, players, round }: Scene,
  owners: (string | undefined)[],
  me: string,
): void {
  if (round.phase !== 'playing') return;
  const at = Date.now();
  for (let tile = 0; tile < field.owners.length; tile++) {
    const owner = players[field.owners[tile]! - 1]?.id;
    if (owner === owners[tile]) continue;
    owners[tile] = owner;
    if (owner === undefined) continue;
    const taken: TakenTile = { round: round.number, tile, isOwn: owner === me, at };
    passed.tiles.push(taken);
  }
}

/** The description of this side with all its candidates. */
async function gathered(): Promise<string> {
  while (connection.iceGatheringState !== 'complete') {
    await new Promise((resolve) => {
      connection.addEventListener('icegatheringstatechange', resolve, { once: true });
    });
  }
  return connection.localDescription!.sdp;
}
