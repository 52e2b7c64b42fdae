import { createHmac, randomBytes } from 'node:crypto';
import { saltBytes, scramIterations } from '../../limits/access.ts';
import { SCRAM_HASHES } from './scram-keys.ts';
import { secretOf } from './stored-hash.ts';
import { SCRAM_MECHANISMS, type ScramKeys, type ScramMechanism, type User } from './user.ts';

type Users = ReadonlyMap<string, User>;

/** What the users of one state of the directory have stored. */
interface Examples {
  readonly hashes: readonly string[];
  readonly keys: Record<ScramMechanism, readonly ScramKeys[]>;
}

/**
 * What a client is shown, and how long it waits, where a user is not there: as if it were one of those that are. Both
 * follow from the name and a secret, so that the same name always gets the same.
 */
export class Decoys {
  readonly #findSecret: () => Uint8Array;
  #secret: Uint8Array | undefined;
  readonly #examples = new WeakMap<Users, Examples>();

  /** @param findSecret asked once, when it is needed. It should outlast a restart: salts that change with it would tell who is not there. */
  constructor(findSecret: () => Uint8Array = () => randomBytes(32)) {
    this.#findSecret = findSecret;
  }

  /** The stored hash of somebody, to be computed in vain: users who were imported have hashes of other costs. */
  passwordHash(name: string, users: Users): string | undefined {
    return this.#one(name, this.#examplesOf(users).hashes);
  }

  /** Keys that no password fits, with salt and iterations like those of somebody. */
  scramKeys(mechanism: ScramMechanism, name: string, users: Users): ScramKeys {
    const example = this.#one(name, this.#examplesOf(users).keys[mechanism]);
    const { bytes } = SCRAM_HASHES[mechanism];
    const key = (use: string) => this.#mac(`${mechanism} ${use}`, name).subarray(0, bytes);
    return {
      salt: key('salt').subarray(0, example?.salt.length ?? saltBytes),
      iterations: example?.iterations ?? scramIterations,
      storedKey: key('stored key'),
      serverKey: key('server key'),
    };
  }

  #one<T>(name: string, examples: readonly T[]): T | undefined {
    return examples[this.#mac('example', name).readUInt32BE() % Math.max(1, examples.length)];
  }

  #examplesOf(users: Users): Examples {
    let examples = this.#examples.get(users);
    if (examples === undefined) {
      examples = examplesOf(users);
      this.#examples.set(users, examples);
    }
    return examples;
  }

  #mac(use: string, name: string): Buffer {
    this.#secret ??= this.#findSecret();
    return createHmac('sha512', this.#secret).update(`${use}\0${name}`).digest();
  }
}

function examplesOf(users: Users): Examples {
  const hashes: string[] = [];
  const keys: Record<ScramMechanism, ScramKeys[]> = { 'SCRAM-SHA-256': [], 'SCRAM-SHA-512': [] };
  for (const user of users.values()) {
    const { scram } = user;
    const secret = secretOf(user);
    if (secret !== undefined) hashes.push(secret);
    for (const mechanism of SCRAM_MECHANISMS) {
      const found = scram[mechanism];
      if (found !== undefined) keys[mechanism].push(found);
    }
  }
  return { hashes, keys };
}
