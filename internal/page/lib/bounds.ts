/** What a limit can bound: the names of the broker, and words for people. */
export const BOUNDS = [
  ['connections', 'Connections'],
  ['connectionsPerSecond', 'New connections per second'],
  ['messagesInPerSecond', 'Messages in per second'],
  ['messagesOutPerSecond', 'Messages out per second'],
  ['bytesInPerSecond', 'Bytes in per second'],
  ['bytesOutPerSecond', 'Bytes out per second'],
  ['subscriptions', 'Subscriptions of a client'],
  ['sessions', 'Sessions of a user'],
  ['inflight', 'Unacknowledged messages'],
  ['queuedBytes', 'Bytes that wait for a client'],
  ['retainedBytes', 'Retained bytes of a user'],
] as const;
