/** The page of the game: joins the game, its pictures and sounds, and the panels around them. */
import { element } from '../site/shared/element.ts';
import { Controls } from './controls.ts';
import type { Look } from './draw/spectacle.ts';
import { Stage } from './draw/stage.ts';
import { Game } from './game.ts';
import { ChatPanel } from './panels/chat-panel.ts';
import { wordsFor } from './panels/game-words.ts';
import { InspectorPanel } from './panels/inspector-panel.ts';
import { InvitePanel } from './panels/invite-panel.ts';
import { Labels } from './panels/labels.ts';
import { Notices } from './panels/notices.ts';
import { PlugButton } from './panels/plug-button.ts';
import { ReplayPanel } from './panels/replay-panel.ts';
import { ResultsPanel } from './panels/results-panel.ts';
import { ScorePanel } from './panels/score-panel.ts';
import { SettingsPanel } from './panels/settings-panel.ts';
import type { GameEvent, Scene } from './scene.ts';
import { Settings } from './settings.ts';
import { Sound } from './sound.ts';

// An invitation that is opened in a tab that plays already.
addEventListener('hashchange', () => location.reload());

const address = new URL(location.href);
const settings = new Settings();
const signaling = signalingUrl();
try {
  play(await Game.open({ signaling, address }));
} catch (error) {
  complain(error);
}

function play(game: Game): void {
  const field = element('field', HTMLCanvasElement);
  const look = (): Look => ({ hasPatterns: settings.patterns, isCalm: settings.isCalm });
  const stage = new Stage(field, look());
  const controls = new Controls(field);
  const sound = new Sound(settings.sound);
  const notices = new Notices();
  const labels = new Labels();
  const score = new ScorePanel();
  const replay = new ReplayPanel(game, notices, look);
  const results = new ResultsPanel(game, replay);
  const chat = new ChatPanel(game, notices);
  const invite = new InvitePanel(game, signaling !== undefined);
  const settingsPanel = new SettingsPanel(game, settings);
  const plug = new PlugButton(game, notices);
  const inspector = new InspectorPanel(game);
  followSettings(stage, sound, look);

  let scene = game.scene(performance.now());
  /** Who has come is greeted when they are to be seen. */
  const arriving = new Set<GameEvent & { kind: 'player-came' }>();
  game.subscribe((event) => {
    if (event.kind !== 'player-came') stage.show(event);
    sound.hear(event, scene);
    tell(event);
  });

  const tell = (event: GameEvent): void => {
    switch (event.kind) {
      case 'round-began':
        return results.begin();
      case 'round-ended':
        return void results.end(event.result);
      case 'results-changed':
        return void results.refresh();
      case 'player-came':
        arriving.add(event);
        return invite.welcome();
      case 'player-left':
        return sayOf(event.player, 'has left');
      case 'connection':
        inspector.follow();
        return plug.hear(event.connection);
      case 'merged':
        return notices.tell(mergeWords(event.tiles.length, event.conflicts.length));
      case 'chat':
        return chat.hear(event.line);
      case 'trouble':
        return complain(event.error);
      case 'tiles-taken':
      case 'loop-closed':
      case 'ember-fell':
      case 'ember-taken':
        return;
    }
  };
  const greet = (): void => {
    for (const event of arriving) {
      if (!scene.players.some(({ id, spark }) => id === event.player && spark !== undefined))
        continue;
      arriving.delete(event);
      stage.show(event);
      sayOf(event.player, 'is here');
    }
  };
  const sayOf = (id: string, words: string): void => {
    const player = scene.players.find((each) => each.id === id);
    if (player !== undefined) notices.tell(`${player.name} ${words}.`, player.colour);
  };

  const frame = (nowMs: number): void => {
    scene = game.scene(nowMs);
    const me = ownOf(scene);
    settingsPanel.me = me;
    game.steer(controls.heading(me?.spark, stage.view));
    stage.paint(scene, nowMs);
    labels.place(scene, stage.view);
    score.show(scene, nowMs);
    results.show(scene.round);
    greet();
    requestAnimationFrame(frame);
  };
  requestAnimationFrame(frame);
  field.focus();

  const offer = new URLSearchParams(address.hash.slice(1)).get('offer');
  if (offer !== null) invite.bring(offer);
  // For programs that use the page.
  document.documentElement.dataset['ready'] = '';
}

function followSettings(stage: Stage, sound: Sound, look: () => Look): void {
  const button = element('sound-button');
  const follow = (): void => {
    stage.look = look();
    sound.isOn = settings.sound;
    button.setAttribute('aria-pressed', String(settings.sound));
    document.body.classList.toggle('calm', settings.isCalm);
  };
  button.addEventListener('click', () => settings.choose({ sound: !settings.sound }));
  settings.subscribe(follow);
  follow();
}

function ownOf({ players }: Scene): Scene['players'][number] | undefined {
  return players.find(({ kind }) => kind === 'me');
}

function mergeWords(tiles: number, conflicts: number): string {
  const came = tiles === 1 ? 'One tile came' : `${tiles} tiles came`;
  return conflicts === 0
    ? `Together again: ${came} from both sides.`
    : `Together again: ${came} from both sides, ${conflicts} of them claimed by both.`;
}

/** What the page says in its head; undefined for no server. */
function signalingUrl(): string | undefined {
  const meta = document.querySelector('meta[name="emberfield-signaling"]');
  const said = meta?.getAttribute('content')?.trim() ?? '';
  if (said === '') return undefined;
  const url = new URL(said, location.href);
  url.protocol = url.protocol.replace('http', 'ws');
  url.hash = '';
  return url.href;
}

function complain(error: unknown): void {
  const trouble = element('trouble');
  trouble.textContent = wordsFor(error);
  trouble.hidden = false;
}
