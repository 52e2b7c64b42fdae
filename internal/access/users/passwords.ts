import { isUtf8 } from 'node:buffer';
import { maxPasswordBytes } from '../../limits/access.ts';
import { AccessError } from '../access-error.ts';
import { Decoys } from './decoys.ts';
import { HashQueue } from './hash-queue.ts';
import { hashPassword, isSame } from './password-hash.ts';
import { RememberedPasswords } from './remembered-passwords.ts';
import { prepared } from './saslprep.ts';
import { makeScramKeys } from './scram-keys.ts';
import { parseSecret, secretOf } from './stored-hash.ts';
import type { User } from './user.ts';

/** What is stored of a password: its hash, and keys for SCRAM, so that a user may log in on every door. */
export type StoredPassword = Required<Pick<User, 'password' | 'scram'>>;

/** A change that puts a hash of ours in the place of another broker's. */
export interface ReplacedPassword {
  readonly kind: 'replace-password';
  readonly name: string;
  readonly before: string;
  readonly fields: StoredPassword;
}

/**
 * Makes what is stored of a new password.
 *
 * @throws Error for what cannot be a password, see {@link passwordProblem}.
 */
export async function makePassword(password: string): Promise<StoredPassword> {
  const problem = passwordProblem(password);
  if (problem !== undefined) throw new Error(problem);
  const bytes = Buffer.from(prepared(password)!);
  const [hash, sha256, sha512] = await Promise.all([
    hashPassword(bytes),
    makeScramKeys('SCRAM-SHA-256', bytes),
    makeScramKeys('SCRAM-SHA-512', bytes),
  ]);
  return { password: hash, scram: { 'SCRAM-SHA-256': sha256, 'SCRAM-SHA-512': sha512 } };
}

/**
 * Makes what is stored of new passwords in the queue of a broker, behind the logins that wait there.
 *
 * @returns what throws AccessError `invalid` for what cannot be a password, and BusyError where too many wait.
 */
export function passwordMaker(queue: HashQueue): (password: string) => Promise<StoredPassword> {
  return async (password) => {
    const problem = passwordProblem(password);
    if (problem !== undefined) throw new AccessError('invalid', problem);
    return queue.run(() => makePassword(password));
  };
}

/** Why something cannot be a password, without repeating it; undefined where it can. */
export function passwordProblem(password: string): string | undefined {
  if (password === '') return 'the password is empty';
  if (Buffer.byteLength(password) > maxPasswordBytes)
    return `the password is longer than ${maxPasswordBytes} bytes`;
  const used = prepared(password);
  if (used === undefined)
    return 'the password has characters that SASLprep (RFC 4013) forbids, such as control characters';
  return used === '' ? 'the password has no character that counts' : undefined;
}

/** Checks passwords of users. */
export class Passwords {
  readonly #queue: HashQueue;
  readonly #decoys: Decoys;
  readonly #remembered: RememberedPasswords;
  /** Checks that are under way: a thousand clients of one user that come at once need one. */
  readonly #underWay = new Map<string, Promise<boolean>>();

  constructor(decoys = new Decoys(), queue = new HashQueue(), remembered = new RememberedPasswords()) {
    this.#queue = queue;
    this.#decoys = decoys;
    this.#remembered = remembered;
  }

  /**
   * Whether a password is that of the user. It takes as long for one who is not there, or disabled.
   *
   * @throws BusyError.
   */
  async isRight(name: string, password: Uint8Array, users: ReadonlyMap<string, User>): Promise<boolean> {
    if (password.length > maxPasswordBytes) return false;
    const user = users.get(name);
    const secret = user?.isEnabled === true ? secretOf(user) : undefined;
    const canLogIn = secret !== undefined;
    const stored = secret ?? this.#decoys.passwordHash(name, users);
    if (stored === undefined) return false;
    const key = this.#remembered.keyOf(name, password, stored);
    if (canLogIn && this.#remembered.has(key)) return true;
    const isRight = (await this.#fits(key, password, stored)) && canLogIn;
    if (isRight) this.#remembered.add(key);
    return isRight;
  }

  #fits(key: string, password: Uint8Array, stored: string): Promise<boolean> {
    const known = this.#underWay.get(key);
    if (known !== undefined) return known;
    const answer = this.#queue.run(() => fits(password, stored)).finally(() => this.#underWay.delete(key));
    this.#underWay.set(key, answer);
    return answer;
  }
}

/** Whether a password is the one that a hash was made of. */
async function fits(password: Uint8Array, stored: string): Promise<boolean> {
  const hash = parseSecret(stored);
  if (hash === undefined) return false;
  return isSame(await hash.derive(hash.isForeign ? password : preparedBytes(password)), hash.hash);
}

/** A password as it was hashed. One that SASLprep forbids is nobody's, and takes its time like any other. */
function preparedBytes(password: Uint8Array): Uint8Array {
  if (!isUtf8(password)) return password;
  const text = prepared(Buffer.from(password).toString());
  return text === undefined ? password : Buffer.from(text);
}
