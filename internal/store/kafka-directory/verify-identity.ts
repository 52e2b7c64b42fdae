import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { IDENTITY_FILE, readIdentity } from './files.ts';

/** What Kafka writes into a `meta.properties`; a cluster or a directory is 16 bytes as base64url. */
const VALUES: Readonly<Record<string, RegExp>> = {
  version: /^[01]$/,
  'node.id': /^\d{1,10}$/,
  'broker.id': /^\d{1,10}$/,
  'cluster.id': /^[\w.-]{1,100}$/,
  'directory.id': /^[\w-]{21}[AQgw]$/,
};
const NEEDED = ['version', 'cluster.id'];

/** What is wrong with the files that say to which broker and cluster directories belong. */
export function identityProblems(directories: readonly string[]): string[] {
  const problems: string[] = [];
  const files = directories.filter((directory) => existsSync(join(directory, IDENTITY_FILE)));
  for (const directory of files) {
    const file = join(directory, IDENTITY_FILE);
    if (!isWellFormed(readFileSync(file, 'utf8'))) problems.push(`${file} is damaged`);
  }
  const [first, ...others] = files.map((directory) => ({ directory, ...readIdentity(directory) }));
  for (const other of others) {
    if (other.clusterId === first!.clusterId && other.nodeId === first!.nodeId) continue;
    const [one, two] = [first!, other].map(({ directory }) => join(directory, IDENTITY_FILE));
    problems.push(`${one} and ${two} name different brokers: one of them is damaged`);
  }
  return problems;
}

function isWellFormed(text: string): boolean {
  const lines = text.split('\n').filter((line) => line !== '' && !line.startsWith('#'));
  const given = new Set<string>();
  for (const line of lines) {
    const [, key = '', value = ''] = /^([^=]+)=(.*)$/.exec(line) ?? [];
    if (given.has(key) || !VALUES[key]?.test(value)) return false;
    given.add(key);
  }
  return NEEDED.every((key) => given.has(key)) && (given.has('node.id') || given.has('broker.id'));
}
