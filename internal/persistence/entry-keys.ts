import { quoted } from '../errors.ts';

/**
 * The keys under which the store keeps users and rules, sessions, their messages and retained messages. They begin with what
 * they are for, in the order in which they are read.
 */
export const KeyKind = {
  access: 'a',
  message: 'm',
  numbering: 'n',
  outgoing: 'o',
  state: 'p',
  received: 'q',
  retained: 'r',
  session: 's',
  delayed: 't',
  /** Only written by versions before; what is found there is moved to {@link KeyKind.delayed}. */
  will: 'w',
} as const;

/** Digits of a number in a key, so that keys are in the order of their numbers. */
const NUMBER_DIGITS = 16;

/** The keys of one client. Its id has its length before it, because it may hold any character that a key has. */
export class ClientKeys {
  readonly #name: string;

  constructor(clientId: string) {
    this.#name = `/${clientId.length}/${clientId}/`;
  }

  outgoing(sequence: number): string {
    return KeyKind.outgoing + this.#name + digitsOf(sequence);
  }

  state(sequence: number): string {
    return KeyKind.state + this.#name + digitsOf(sequence);
  }

  received(packetId: number): string {
    return KeyKind.received + this.#name + digitsOf(packetId);
  }
}

const ACCESS_KINDS = { u: 'user', r: 'rule', l: 'limit' } as const;

type AccessKind = (typeof ACCESS_KINDS)[keyof typeof ACCESS_KINDS];

/** The key of a user, a rule or a limit. */
export function accessKey(kind: AccessKind, name: string): string {
  return `${KeyKind.access}/${kind[0]}/${name}`;
}

/** Stands for all of them (access-entries.ts). */
export const ACCESS_SEAL_KEY = `${KeyKind.access}/seal`;

/** @throws Error where a newer tinymq keeps something else there. */
export function parseAccessKey(key: string): { kind: AccessKind; name: string } {
  const letter = key[2] as keyof typeof ACCESS_KINDS;
  if (!Object.hasOwn(ACCESS_KINDS, letter)) throw new Error('its kind is not known');
  return { kind: ACCESS_KINDS[letter], name: key.slice(4) };
}

export function messageKey(number: number): string {
  return `${KeyKind.message}/${digitsOf(number)}`;
}

export function retainedKey(topic: string): string {
  return `${KeyKind.retained}/${topic}`;
}

/** The id of a client has its length before it, because it and the user may hold any character. */
export function numberingKey(clientId: string, user: string | undefined): string {
  const owner = user === undefined ? '' : `=${user}`;
  return `${KeyKind.numbering}/${clientId.length}/${clientId}/${owner}`;
}

export function parseNumberingKey(key: string): { clientId: string; user: string | undefined } {
  const lengthEnd = key.indexOf('/', 2);
  const start = lengthEnd + 1;
  const end = start + Number(key.slice(2, lengthEnd));
  const owner = key.slice(end + 1);
  return { clientId: key.slice(start, end), user: owner === '' ? undefined : owner.slice(1) };
}

export function sessionKey(clientId: string): string {
  return `${KeyKind.session}/${clientId}`;
}

export function delayedKey(key: string): string {
  return `${KeyKind.delayed}/${key}`;
}

/** The parts of a key of a client. */
export function parseClientKey(key: string): { clientId: string; number: number } {
  const lengthEnd = key.indexOf('/', 2);
  const start = lengthEnd + 1;
  const end = start + Number(key.slice(2, lengthEnd));
  return { clientId: key.slice(start, end), number: Number(key.slice(end + 1)) };
}

function digitsOf(number: number): string {
  return String(number).padStart(NUMBER_DIGITS, '0');
}

/** What an entry is for people. */
export function entryName(key: string): string {
  const rest = key.slice(2);
  switch (key[0]) {
    case KeyKind.access:
      return key === ACCESS_SEAL_KEY ? 'the seal of users and rules' : accessName(key);
    case KeyKind.message:
      return `message ${Number(rest)}, for which several sessions wait`;
    case KeyKind.outgoing:
    case KeyKind.state: {
      const { clientId, number } = parseClientKey(key);
      return `message ${number} that waits in the session of client ${quoted(clientId)}`;
    }
    case KeyKind.received: {
      const { clientId, number } = parseClientKey(key);
      return `packet id ${number} that client ${quoted(clientId)} has sent`;
    }
    case KeyKind.retained:
      return `the retained message of topic ${quoted(rest)}`;
    case KeyKind.session:
      return `the session of client ${quoted(rest)}`;
    case KeyKind.delayed:
    case KeyKind.will:
      return `the will or delayed message ${quoted(rest)}`;
    default:
      return `the entry ${quoted(key)}`;
  }
}

function accessName(key: string): string {
  const kind = ACCESS_KINDS[key[2] as keyof typeof ACCESS_KINDS] ?? 'entry';
  return `${kind} ${quoted(key.slice(4))}`;
}
