import { fromBase64, wholeNumber } from './password-hash.ts';
import { SCRAM_MECHANISMS, type ScramKeys, type ScramMechanism } from './user.ts';

/**
 * Keys for SCRAM as one word for files, the same that PostgreSQL writes: `SCRAM-SHA-256$4096:salt$storedKey:serverKey`, bytes
 * in base64.
 */
export function scramText(mechanism: ScramMechanism, keys: ScramKeys): string {
  const [salt, storedKey, serverKey] = [keys.salt, keys.storedKey, keys.serverKey].map((bytes) =>
    Buffer.from(bytes).toString('base64'),
  );
  return `${mechanism}$${keys.iterations}:${salt}$${storedKey}:${serverKey}`;
}

/** @returns undefined for text that has another form. */
export function parseScramText(text: string): { mechanism: ScramMechanism; keys: ScramKeys } | undefined {
  const [, name, iterations, ...encoded] =
    /^([A-Z0-9-]+)\$(\d+):([^$:]+)\$([^$:]+):([^$:]+)$/.exec(text) ?? [];
  const mechanism = SCRAM_MECHANISMS.find((known) => known === name);
  const [salt, storedKey, serverKey] = encoded.map(fromBase64);
  if (mechanism === undefined || salt === undefined || storedKey === undefined || serverKey === undefined)
    return undefined;
  return { mechanism, keys: { salt, iterations: wholeNumber(iterations!), storedKey, serverKey } };
}
