import { quoted } from '../../errors.ts';
import { userNameProblem } from '../users/user.ts';
import { type HashProblem, parseMosquittoHash } from './password-hash.ts';

/** A user of a password file whose old password goes on to work. */
export interface ImportedUser {
  readonly name: string;
  /** As it stands in the file. */
  readonly password: string;
}

/** Somebody, or a line, that cannot be taken over. */
export interface NotImported {
  readonly line: number;
  /** Undefined where the line names nobody. */
  readonly name: string | undefined;
  /** What is to be done; nothing of a password is in it. */
  readonly problem: string;
}

export interface PasswordFile {
  readonly users: readonly ImportedUser[];
  readonly problems: readonly NotImported[];
}

/**
 * Reads a password file of mosquitto: `name:hash` in each line. Until their first login by password such users have
 * no keys for SCRAM, because those can only be made of the password itself.
 */
export function parsePasswordFile(text: string): PasswordFile {
  const users = new Map<string, ImportedUser>();
  const problems: NotImported[] = [];
  for (const [index, whole] of text.split('\n').entries()) {
    const line = whole.replace(/^\ufeff/, '').trim();
    if (line === '' || line.startsWith('#')) continue;
    const { name, password, problem } = parseLine(line);
    if (problem !== undefined)
      problems.push({ line: index + 1, name: name === '' ? undefined : name, problem });
    if (problem !== undefined) continue;
    if (users.has(name))
      problems.push({ line: index + 1, name, problem: 'the name stands twice; this line counts' });
    users.set(name, { name, password });
  }
  return { users: [...users.values()], problems };
}

interface Line {
  name: string;
  password: string;
  problem: string | undefined;
}

function parseLine(line: string): Line {
  const colon = line.indexOf(':');
  if (colon === -1) return { name: '', password: '', problem: 'it is not a name, a colon and a hash' };
  const [name, password] = [line.slice(0, colon), line.slice(colon + 1)];
  const nameProblem = userNameProblem(name);
  // Who has no name that can be taken over needs another one, not another password.
  if (nameProblem !== undefined) return { name: '', password, problem: `${quoted(name)}: ${nameProblem}` };
  const hash = parseMosquittoHash(password);
  return { name, password, problem: typeof hash === 'string' ? HASH_PROBLEMS[hash] : undefined };
}

const HASH_PROBLEMS: Record<HashProblem, string> = {
  'no-hash':
    'the password is no hash (a file of plain passwords becomes one of hashes by mosquitto_passwd -U); set a new one',
  'unknown-kind': 'the hash is of a kind that is not known; set a new password',
  'too-costly': 'the hash asks for more memory or time than a broker gives; set a new password',
  'needs-newer-node': 'the hash is argon2id, which needs Node 24.7 or newer; use that, or set a new password',
};
