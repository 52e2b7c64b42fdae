/** Why users, rules or limits were not changed. `declared`: the declarative file names it, so only that file changes it. */
export type AccessErrorCode = 'invalid' | 'exists' | 'not-found' | 'declared';

/** A change that was refused; the message is for people. */
export class AccessError extends Error {
  override readonly name = 'AccessError';
  readonly code: AccessErrorCode;

  constructor(code: AccessErrorCode, message: string) {
    super(message);
    this.code = code;
  }
}
