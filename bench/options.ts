import { type Case, cases } from './cases.ts';
import { peers } from './peers/index.ts';
import type { Peer } from './peers/peer.ts';

/** What a run does. */
export interface Options {
  cases: readonly Case[];
  peers: readonly Peer[];
  rounds: number;
  /** How long each round measures. */
  seconds: number;
}

export const help = `Compares tinymq with the peers on this machine: make bench, or node bench/main.ts

Environment:
  CASES=name,name   only these cases; kafka-* are all that begin so
  PEERS=name,name   only these peers
  ROUNDS=n          rounds of each case, interleaved over the peers (3, with FULL 7)
  SECONDS=n         how long each round measures (0.6, with FULL 3)
  FULL=1            longer, for figures to keep
  SMQ=file          the original server of Suhaib Message Queue, built, as a peer of the gRPC cases
  RULES=1           tinymq with 100 users and 200 rules as one more peer
  BASE=folder       another checkout of tinymq, built, as one more peer

Cases:
${cases.map(({ name, title }) => `  ${name.padEnd(26)} ${title}`).join('\n')}

Peers:
${peers.map((peer) => `  ${peer.name.padEnd(12)} ${peer.problem() ?? 'is here'}`).join('\n')}
`;

/** @throws Error that says which variable is wrong, and what it may be. */
export function optionsOf(environment: NodeJS.ProcessEnv): Options {
  const isFull = environment.FULL === '1';
  return {
    cases: chosen('CASES', environment.CASES, cases),
    peers: chosen('PEERS', environment.PEERS, peers),
    rounds: Math.ceil(positive('ROUNDS', environment.ROUNDS, isFull ? 7 : 3)),
    seconds: positive('SECONDS', environment.SECONDS, isFull ? 3 : 0.6),
  };
}

function chosen<T extends { name: string }>(
  variable: string,
  value: string | undefined,
  all: readonly T[],
): readonly T[] {
  if (!value) return all;
  return value.split(',').flatMap((name) => {
    const found = all.filter((candidate) => isNamed(candidate.name, name.trim()));
    if (found.length > 0) return found;
    throw new Error(`${variable}: there is no ${name}; there are ${all.map((one) => one.name).join(', ')}`);
  });
}

/** `pattern` is a name, or the beginning of names and a star. */
function isNamed(name: string, pattern: string): boolean {
  return pattern.endsWith('*') ? name.startsWith(pattern.slice(0, -1)) : name === pattern;
}

function positive(variable: string, value: string | undefined, otherwise: number): number {
  if (!value) return otherwise;
  const number = Number(value);
  if (number > 0 && Number.isFinite(number)) return number;
  throw new Error(`${variable} is a number above 0, not ${value}`);
}
