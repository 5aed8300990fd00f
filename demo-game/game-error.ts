/** What a player asked for that cannot be; the message is for people. */
export class GameError extends Error {
  override readonly name = 'GameError';
}
