import { randomBytes } from 'node:crypto';
import { readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Logger } from '../broker/broker.ts';
import { systemReason } from '../lib/system-reason.ts';

/** Beside the store. */
const LOGIN_SECRET_FILE = 'tinymq.login-secret';
const SECRET_BYTES = 32;
const FILE_MODE = 0o600;

/**
 * What the salts are made from that clients are shown for users who are not there. It lasts, since a salt that is another
 * one after a restart would tell that nobody has it. It is no secret of any user.
 *
 * @param folder undefined, or one that is not there yet: then it holds until the broker stops.
 */
export function loginSecret(folder: string | undefined, logger: Logger): Uint8Array {
  const fresh = randomBytes(SECRET_BYTES);
  if (folder === undefined || statSync(folder, { throwIfNoEntry: false }) === undefined) return fresh;
  const path = join(folder, LOGIN_SECRET_FILE);
  try {
    return kept(path) ?? written(path, fresh);
  } catch (error) {
    logger.warn(
      { file: path, error: systemReason(error) },
      'the secret for unknown users lasts until the broker stops',
    );
    return fresh;
  }
}

function kept(path: string): Uint8Array | undefined {
  if (statSync(path, { throwIfNoEntry: false }) === undefined) return undefined;
  const secret = readFileSync(path);
  return secret.length === SECRET_BYTES ? secret : undefined;
}

function written(path: string, secret: Uint8Array): Uint8Array {
  writeFileSync(path, secret, { mode: FILE_MODE });
  return secret;
}
