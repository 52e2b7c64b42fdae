import { maxUserNameBytes } from '../../limits/access.ts';
import { prepared } from './saslprep.ts';

/** Somebody who may log in. */
export interface User {
  readonly name: string;
  /** A disabled user is refused like one that is not there, whatever it shows. */
  readonly isEnabled: boolean;
  readonly groups: readonly string[];
  /** A hash as {@link file://./password-hash.ts} knows it; undefined for a user who logs in by other means. */
  readonly password?: string;
  readonly scram: Partial<Record<ScramMechanism, ScramKeys>>;
  /** Whether the user was made by the tools, or stands in the declarative file. */
  readonly origin: 'store' | 'file';
}

export const SCRAM_MECHANISMS = ['SCRAM-SHA-256', 'SCRAM-SHA-512'] as const;
export type ScramMechanism = (typeof SCRAM_MECHANISMS)[number];

/** What RFC 5802 has a server keep of a password: enough to check a client, not enough to be one. */
export interface ScramKeys {
  readonly salt: Uint8Array;
  readonly iterations: number;
  readonly storedKey: Uint8Array;
  readonly serverKey: Uint8Array;
}

/** Names that rules give a meaning of their own, in any case of letters: Kafka writes ANONYMOUS. */
const RESERVED = ['*', 'anonymous'];

/** Control characters, line separators, and what changes the direction of writing: they forge lines of logs and files. */
const HARMFUL =
  /[\p{Cc}\p{Zl}\p{Zp}\p{Cs}\p{Noncharacter_Code_Point}\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]/u;

/** Why something cannot be the name of a user; undefined where it can. */
export function userNameProblem(name: string): string | undefined {
  if (RESERVED.includes(name.toLowerCase())) return 'the name has a meaning in rules';
  return nameProblem(name);
}

/** The same for a group. */
export function groupNameProblem(name: string): string | undefined {
  return name === '*' ? 'the name has a meaning in rules' : nameProblem(name);
}

function nameProblem(name: string): string | undefined {
  if (name === '') return 'the name is empty';
  if (Buffer.byteLength(name) > maxUserNameBytes) return `the name is longer than ${maxUserNameBytes} bytes`;
  if (HARMFUL.test(name)) return 'the name has a control character, a line break or a mark of direction';
  if (name.trim() !== name) return 'the name begins or ends with a space';
  // Clients that prepare names (RFC 5802) and those that do not must mean the same user.
  if (prepared(name) !== name)
    return 'SASLprep (RFC 4013) changes the name, so that clients would disagree on it';
  return undefined;
}
