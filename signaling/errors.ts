export type SignalingServerErrorCode =
  /** A setting that is out of bounds, or that another one needs; `setting` names it. */
  | 'invalid-setting'
  /** A file that a setting names cannot be read, or holds something else. */
  | 'unreadable-file'
  | 'address-in-use'
  /** The address cannot be bound for another reason, which is the cause. */
  | 'cannot-listen'
  /** An optional package that a setting needs is not installed. */
  | 'missing-package'
  /** Listening twice, or after closing. */
  | 'wrong-state';

/** What can be wrong with a signaling server itself. What clients do wrong is told to them alone. */
export class SignalingServerError extends Error {
  override readonly name = 'SignalingServerError';
  readonly code: SignalingServerErrorCode;
  /** For `invalid-setting`, `unreadable-file` and `missing-package`: which one. */
  readonly setting: string | undefined;

  constructor(
    code: SignalingServerErrorCode,
    message: string,
    options: ErrorOptions & { readonly setting?: string } = {},
  ) {
    super(message, options);
    this.code = code;
    this.setting = options.setting;
  }
}
