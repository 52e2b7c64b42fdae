import { traceContextOf } from '../lib/trace-context.ts';
import { inPairs } from '../observe/spans.ts';
import type { Tracing } from '../observe/tracing.ts';
import { matchesFilter, parseShared } from '../topic.ts';
import type { Client } from './client.ts';
import type { Channel, Receiver } from './delivery/channel.ts';
import type { Message, Publication } from './delivery/publication.ts';
import type { TargetSet } from './routing/targets.ts';

/** Messages of one run that are looked at. */
const MOST_OF_A_RUN = 20;

/** Who is connected, by the id of the client. */
export type FindClient = (clientId: string) => Client | undefined;

/** Tells whoever traces where the messages of a run go. Nothing has been delivered yet. */
export function tracePublication(
  tracing: Tracing,
  publication: Publication,
  { channels, receivers, groups }: TargetSet,
  find: FindClient,
): void {
  if (!tracing.hasRoom) return;
  const { origin } = publication;
  const publisher = origin.kind === 'client' ? origin.clientId : undefined;
  const identity = publisher === undefined ? undefined : find(publisher)?.identity;
  const messages = publication.messages();
  for (const message of messages.slice(0, MOST_OF_A_RUN)) {
    const { topic, payload, qos = 0, retain } = message;
    tracing.tell({
      ...{ step: 'published', topic, client: publisher, user: identity?.user, remote: identity?.remote },
      door: origin.kind === 'client' ? identity?.door : origin.kind,
      ...{ qos, retain, bytes: payload.length, traceparent: traceparentOf(message) },
    });
    const isForNobody = channels.length === 0 && receivers.length === 0 && groups.length === 0;
    if (isForNobody) tracing.tell({ step: 'unmatched', topic, publisher });
    for (const target of [...channels, ...receivers]) traceTarget(tracing, message, target, publisher, find);
  }
  if (messages.length > MOST_OF_A_RUN)
    tracing.tell({
      step: 'left-out',
      topic: messages[0]!.topic,
      publisher,
      count: messages.length - MOST_OF_A_RUN,
    });
}

function traceparentOf({ properties }: Message): string | undefined {
  const { userProperties } = properties ?? {};
  return userProperties && traceContextOf(inPairs(userProperties))[0]?.[1];
}

function traceTarget(
  tracing: Tracing,
  { topic }: Message,
  target: Channel | Receiver,
  publisher: string | undefined,
  find: FindClient,
): void {
  const { clientId: client } = target;
  // A log says what it keeps when it has it.
  if (client === undefined) return;
  const found = find(client);
  const own = 'filters' in target ? target.filters?.() : undefined;
  const filters = [...(own ?? found?.filters() ?? [])];
  const waiting = found?.channel.waitingMessages;
  const matching = filters.filter(
    (filter) => parseShared(filter) === undefined && matchesFilter(filter, topic),
  );
  const { user, door, remote } = found?.identity ?? {};
  tracing.tell({ step: 'matched', topic, client, publisher, user, door, remote, filters: matching, waiting });
}

/** A group has chosen a member for a message. */
export function traceMember(tracing: Tracing, publication: Publication, member: Receiver): void {
  if (!tracing.hasRoom) return;
  const { origin } = publication;
  const publisher = origin.kind === 'client' ? origin.clientId : undefined;
  for (const { topic } of publication.messages()) {
    tracing.tell({
      step: 'shared',
      topic,
      client: member.clientId,
      publisher,
      filters: [...(member.filters?.() ?? [])],
    });
  }
}
