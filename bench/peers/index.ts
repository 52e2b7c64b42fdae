import { apacheKafka } from './apache-kafka.ts';
import { cluster } from './cluster.ts';
import { disk } from './disk.ts';
import { mosquitto } from './mosquitto.ts';
import { nats } from './nats.ts';
import type { Peer } from './peer.ts';
import { relay } from './relay.ts';
import { rumqttd } from './rumqttd.ts';
import { smq } from './smq.ts';
import { tinymq, tinymqAt, tinymqWithRules } from './tinymq.ts';

/** Every peer, ours first. `RULES` adds ours with users and rules, `BASE` another checkout of tinymq, built. */
export const peers: readonly Peer[] = [
  tinymq,
  ...(process.env.RULES ? [tinymqWithRules] : []),
  ...(process.env.BASE ? [tinymqAt('base', process.env.BASE)] : []),
  cluster,
  nats,
  mosquitto,
  rumqttd,
  relay,
  disk,
  apacheKafka,
  smq,
];

/** @throws Error where there is none of this name. */
export function peerNamed(name: string): Peer {
  const peer = peers.find((candidate) => candidate.name === name);
  if (peer === undefined) {
    throw new Error(`no peer is called ${name}; there are ${peers.map(({ name }) => name).join(', ')}`);
  }
  return peer;
}
