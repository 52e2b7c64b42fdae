import { apacheKafka } from './apache-kafka.ts';
import { mosquitto } from './mosquitto.ts';
import { nats } from './nats.ts';
import type { Peer } from './peer.ts';
import { relay } from './relay.ts';
import { rumqttd } from './rumqttd.ts';
import { smq } from './smq.ts';
import { tinymq, tinymqAt } from './tinymq.ts';

/** Every peer, ours first. `BASE` names another checkout of tinymq, built, to compare with. */
export const peers: readonly Peer[] = [
  tinymq,
  ...(process.env.BASE ? [tinymqAt('base', process.env.BASE)] : []),
  nats,
  mosquitto,
  rumqttd,
  relay,
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
