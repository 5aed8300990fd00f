import { seededRandom } from '../src/transports/memory.ts';

/** Six fields and an id; 180 to 200 bytes of JSON. */
export type BenchDocument = {
  readonly _id: string;
  readonly title: string;
  readonly body: string;
  readonly author: string;
  readonly plays: number;
  readonly done: boolean;
  readonly tags: string[];
};

/**
 * The document of this number, the same in every run and process.
 * @param version another version of the document: all fields but the id differ
 */
export function documentAt(number: number, version = 0): BenchDocument {
  const random = seededRandom(Math.imul(number, 0x9e3779b1) ^ Math.imul(version + 1, 0x85ebca6b));
  const word = (): string => WORDS[Math.floor(random() * WORDS.length)]!;
  const words = (count: number): string => Array.from({ length: count }, word).join(' ');
  const document = {
    _id: `doc-${String(number).padStart(7, '0')}`,
    title: words(3),
    body: '',
    author: `${word()}@${word()}`,
    plays: Math.floor(random() * 1_000_000),
    done: random() < 0.5,
    tags: [word(), word()],
  };
  const rest = 180 + Math.floor(random() * 21) - JSON.stringify(document).length;
  document.body = words(24).slice(0, Math.max(1, rest));
  return document;
}

export function* documents(from: number, to: number, version = 0): Iterable<BenchDocument> {
  for (let number = from; number < to; number++) yield documentAt(number, version);
}

const SYLLABLES = ['ba', 'ce', 'di', 'fo', 'gu', 'ha', 'kel', 'lim', 'mor', 'nu', 'par', 'ro'];
/** Of the redundancy of natural text: such documents shrink to about a third by deflate. */
const WORDS: readonly string[] = Array.from(
  { length: 1024 },
  (_, i) =>
    SYLLABLES[i % 12]! +
    SYLLABLES[Math.floor(i / 12) % 12]! +
    (SYLLABLES[Math.floor(i / 144)] ?? ''),
);
