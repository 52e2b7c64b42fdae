/**
 * The keys under which the store keeps sessions, their messages and retained messages. They begin with what they are for,
 * in the order in which they are read.
 */
export const KeyKind = {
  message: 'm',
  outgoing: 'o',
  state: 'p',
  received: 'q',
  retained: 'r',
  session: 's',
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

export function messageKey(number: number): string {
  return `${KeyKind.message}/${digitsOf(number)}`;
}

export function retainedKey(topic: string): string {
  return `${KeyKind.retained}/${topic}`;
}

export function sessionKey(clientId: string): string {
  return `${KeyKind.session}/${clientId}`;
}

export function willKey(clientId: string): string {
  return `${KeyKind.will}/${clientId}`;
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
