import type { ClientProgram } from './client-program.ts';
import type { Peer } from './peer.ts';

/** What a group of cases gets: the client, where the broker is, and a name that no other case has. */
export interface Trial {
  readonly client: ClientProgram;
  readonly peer: Pick<Peer, 'bootstrap'>;
  readonly unique: typeof unique;
}

let names = 0;

/** A name that no other topic or group has. */
export function unique(what: string): string {
  return `${what}-${++names}`;
}
